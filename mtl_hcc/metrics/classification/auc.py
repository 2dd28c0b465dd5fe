"""How well probabilities rank the patients: the AUC, quick to resample, and DeLong's test."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    LEVEL,
    Z_95,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
    point_value,
)
from mtl_hcc.metrics.pair_counts import LowerRiskCount

ONE_CLASS = "only one class among the labels"


def auc(
    label: npt.ArrayLike, probability: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> float:
    """Return the area under the ROC curve: the share of positive-negative pairs in right order.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Any score that rises with the label; ties count half.
        strata: (patient,) Only pairs within a stratum count, e.g. the fold.

    Raises:
        NotComputableError: Only one class.
    """
    value = point_value(auc_statistic(label, probability, strata=strata), len(np.asarray(label)))
    if np.isnan(value):
        raise NotComputableError(ONE_CLASS)
    return value


def auc_statistic(
    label: npt.ArrayLike, probability: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> Statistic:
    r"""Return the AUC as a function of the counts w, :math:`O(n)` per resample.

    .. math:: \mathrm{AUC}(w) = \sum_i w_i L_i(w) / \sum_i w_i N_i(w)

    over the positives i, with N the count of the negatives of the stratum and L that of those with
    a lower probability.
    """
    positive, scores = np.asarray(label) == 1, np.asarray(probability, dtype=np.float64)
    groups = np.zeros(len(scores)) if strata is None else np.asarray(strata)
    strata_scores = [
        LowerRiskCount(
            scores,
            of=np.flatnonzero(positive & (groups == group)),
            among=np.flatnonzero(~positive & (groups == group)),
        )
        for group in np.unique(groups)
    ]

    def area(counts: Counts) -> FloatArray:
        right, pairs = np.zeros(len(counts)), np.zeros(len(counts))
        for lower in strata_scores:
            positives = counts.take(lower.of, axis=1).astype(np.float64)
            negatives = counts.take(lower.among, axis=1).sum(axis=1, dtype=np.float64)
            right += np.einsum("rp,rp->r", positives, lower(counts))
            pairs += positives.sum(axis=1) * negatives
        with np.errstate(invalid="ignore", divide="ignore"):
            share: FloatArray = right / pairs
        return share

    return in_blocks(area, len(scores))


def delong_covariance(
    label: npt.ArrayLike, probability: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    r"""Return the AUCs of models on the same patients and their covariance.

    With m positives and n negatives, the placement values are :math:`V_{10}(i)`, the share of
    negatives below positive i, and :math:`V_{01}(j)`, the share of positives above negative j:

    .. math:: \mathrm{AUC} = \overline{V_{10}}, \qquad
        S = \frac{\mathrm{cov}(V_{10})}{m} + \frac{\mathrm{cov}(V_{01})}{n}

    (DeLong, Biometrics 1988;44:837-845), computed from midranks (Sun and Xu, IEEE Signal Processing
    Letters 2014;21:1389-1393). Strata are independent and weighted by their pairs :math:`m_f n_f`.

    Args:
        label: (patient,) 0 or 1, each patient once.
        probability: (model, patient) Any score that rises with the label.
        strata: (patient,) Only pairs within a stratum count, e.g. the fold.

    Returns:
        AUCs (model,) and their covariance (model, model).

    Raises:
        NotComputableError: A class is absent, or has one patient in a stratum.
    """
    positive = np.asarray(label) == 1
    scores = np.atleast_2d(np.asarray(probability, dtype=np.float64))
    groups = np.zeros(len(positive)) if strata is None else np.asarray(strata)
    value, covariance, all_pairs = np.zeros(len(scores)), np.zeros((len(scores),) * 2), 0
    for group in np.unique(groups):
        inside = groups == group
        above, below = _placements(scores[:, inside & positive], scores[:, inside & ~positive])
        m, n = above.shape[1], below.shape[1]
        if m * n == 0:
            continue
        if min(m, n) < 2:
            raise NotComputableError("DeLong needs two patients of each class in each fold")
        value += m * n * above.mean(axis=1)
        covariance += (m * n) ** 2 * (_covariance(above) / m + _covariance(below) / n)
        all_pairs += m * n
    if all_pairs == 0:
        raise NotComputableError(ONE_CLASS)
    return value / all_pairs, covariance / all_pairs**2


def delong_interval(
    label: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> tuple[float, float]:
    """Return DeLong's interval of one AUC, cut at 0 and 1 (as R's ``pROC::ci.auc``)."""
    value, covariance = delong_covariance(label, probability, strata=strata)
    half = Z_95 * float(covariance[0, 0]) ** 0.5
    return max(0.0, float(value[0]) - half), min(1.0, float(value[0]) + half)


def delong_difference(
    label: npt.ArrayLike,
    probability_a: npt.ArrayLike,
    probability_b: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> tuple[float, float, float, float]:
    """Compare two AUCs on the same patients (as R's ``pROC::roc.test(paired = TRUE)``).

    Returns:
        Difference a - b, ends of its interval, two-sided p. Without any variance p is 1 for equal
        AUCs and NaN otherwise.
    """
    scores = np.stack([np.asarray(probability_a), np.asarray(probability_b)])
    value, covariance = delong_covariance(label, scores, strata=strata)
    difference = float(value[0] - value[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = max(0.0, variance) ** 0.5
    half = Z_95 * error
    if error > 1e-12:
        p = 2 * NormalDist().cdf(-abs(difference) / error)
    else:
        p = 1.0 if difference == 0 else float("nan")
    return difference, difference - half, difference + half, p


def delong_unpaired(
    label_a: npt.ArrayLike,
    probability_a: npt.ArrayLike,
    label_b: npt.ArrayLike,
    probability_b: npt.ArrayLike,
) -> tuple[float, float, float, float]:
    r"""Compare the AUCs of two independent groups of patients, e.g. of two centers.

    As R's ``pROC::roc.test(paired = FALSE)``: t-distribution with Welch's degrees of freedom
    :math:`(S_a + S_b)^2 / (S_a^2 / (n_a - 1) + S_b^2 / (n_b - 1))`.

    Returns:
        Difference a - b, ends of its interval, two-sided p, as :func:`delong_difference`.

    Raises:
        NotComputableError: A group has fewer than two patients of a class.
    """
    from scipy.special import stdtr, stdtrit

    groups = ((label_a, probability_a), (label_b, probability_b))
    (value_a, s_a), (value_b, s_b) = (
        (float(value[0]), float(covariance[0, 0]))
        for value, covariance in (delong_covariance(*group) for group in groups)
    )
    difference, variance = value_a - value_b, s_a + s_b
    if variance <= 1e-24:
        return difference, difference, difference, 1.0 if difference == 0 else float("nan")
    n_a, n_b = len(np.asarray(label_a)), len(np.asarray(label_b))
    freedom = variance**2 / (s_a**2 / (n_a - 1) + s_b**2 / (n_b - 1))
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * variance**0.5
    p = 2 * float(stdtr(freedom, -abs(difference) / variance**0.5))
    return difference, difference - half, difference + half, p


def _placements(positive: FloatArray, negative: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return V10 (model, positive) and V01 (model, negative)."""
    from scipy.stats import rankdata

    m, n = positive.shape[1], negative.shape[1]
    above, below = np.zeros((len(positive), m)), np.zeros((len(positive), n))
    if m * n == 0:
        return above, below
    for model, (x, y) in enumerate(zip(positive, negative, strict=True)):
        ranks = rankdata(np.concatenate([x, y]))
        above[model] = (ranks[:m] - rankdata(x)) / n
        below[model] = 1 - (ranks[m:] - rankdata(y)) / m
    return above, below


def _covariance(values: FloatArray) -> FloatArray:
    """Covariance of the rows, (model, model) also for one model."""
    return np.atleast_2d(np.cov(values))

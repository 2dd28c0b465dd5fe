"""How well probabilities and decisions match the labels, for two classes and for more."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.agreement.kappa import kappa_statistic
from mtl_hcc.metrics.classification.precision_recall import (
    ONE_CLASS,
    average_precision_statistic,
)
from mtl_hcc.metrics.lower_risk import LowerRisk
from mtl_hcc.metrics.statistic import (
    BoolArray,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
    point_value,
)

PROPORTIONS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    # metric: cells of (tp, fp, tn, fn) in the numerator, and in the denominator
    "accuracy": ((0, 2), (0, 1, 2, 3)),
    "sensitivity": ((0,), (0, 3)),
    "specificity": ((2,), (1, 2)),
    "ppv": ((0,), (0, 1)),
    "npv": ((2,), (2, 3)),
}
WHY_NOT = {
    "auc": "only one class among the labels",
    "average_precision": ONE_CLASS,
    "balanced_accuracy": "a class is absent among the labels",
    "sensitivity": "no positive patient",
    "specificity": "no negative patient",
    "ppv": "no patient is predicted positive",
    "npv": "no patient is predicted negative",
    "f1": "no patient is positive or predicted positive",
}


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
        raise NotComputableError(WHY_NOT["auc"])
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
        LowerRisk(
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


def confusion(label: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Return the confusion cells tp, fp, tn, fn of every patient: (patient, 4), one-hot."""
    positive, called = np.asarray(label) == 1, np.asarray(predicted, dtype=bool)
    cells = [positive & called, ~positive & called, ~positive & ~called, positive & ~called]
    return np.stack(cells, axis=1).astype(np.float64)


def binary_statistics(
    label: npt.ArrayLike,
    probability: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> dict[str, Statistic]:
    """Return the metrics of a two-class task as functions of counts.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Probability of the positive class.
        predicted: (patient,) Whether the patient is called positive.
        strata: (patient,) Fold, for AUC and average precision.
    """
    cells = confusion(label, predicted)
    statistics = {
        "auc": auc_statistic(label, probability, strata=strata),
        "average_precision": average_precision_statistic(label, probability, strata=strata),
    }
    statistics["f1"] = _ratio(cells @ [2.0, 0, 0, 0], cells @ [2.0, 1, 0, 1])
    for name, (hits, all_cells) in PROPORTIONS.items():
        statistics[name] = _ratio(
            cells[:, list(hits)].sum(axis=1), cells[:, list(all_cells)].sum(axis=1)
        )
    sensitivity, specificity = statistics["sensitivity"], statistics["specificity"]
    statistics["balanced_accuracy"] = lambda counts: (sensitivity(counts) + specificity(counts)) / 2
    return statistics


def multiclass_statistics(
    label: npt.ArrayLike, probabilities: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> dict[str, Statistic]:
    """Return the metrics of a task with K classes as functions of counts.

    The class with the highest probability is the decision. The AUC is the mean of the K
    one-versus-rest AUCs (``auc_<k>``: that of class k alone), average precision and F1 are means
    over classes too (macro), balanced accuracy is the mean sensitivity; each is undefined when a
    class is absent. Kappa has quadratic weights: the classes are ordered (M0, M1, M2).

    Args:
        label: (patient,) 0..K-1.
        probabilities: (patient, K).
        strata: (patient,) Fold, for AUC and average precision.
    """
    labels, scores = np.asarray(label), np.asarray(probabilities, dtype=np.float64)
    predicted = scores.argmax(axis=1)
    right: BoolArray = labels == predicted
    classes = range(scores.shape[1])
    single_auc = [auc_statistic(labels == k, scores[:, k], strata=strata) for k in classes]
    single_ap = [
        average_precision_statistic(labels == k, scores[:, k], strata=strata) for k in classes
    ]
    cells = [confusion(labels == k, predicted == k) for k in classes]
    single_f1 = [_ratio(cell @ [2.0, 0, 0, 0], cell @ [2.0, 1, 0, 1]) for cell in cells]
    recall = [_ratio(cell[:, 0], cell @ [1.0, 0, 0, 1]) for cell in cells]
    return {
        "auc": _mean(single_auc),
        **{f"auc_{k}": single_auc[k] for k in classes},
        "average_precision": _mean(single_ap),
        "f1": _mean(single_f1),
        "accuracy": _ratio(right.astype(np.float64), np.ones(len(labels))),
        "balanced_accuracy": _mean(recall),
        "kappa": kappa_statistic(labels, predicted, classes=scores.shape[1], weights="quadratic"),
    }


def youden_threshold(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the cut-off that maximizes sensitivity + specificity - 1 (the highest of equals).

    A patient is called positive at or above it. Meant for the training split only.

    Raises:
        NotComputableError: Only one class.
    """
    positive, scores = np.asarray(label) == 1, np.asarray(probability, dtype=np.float64)
    if positive.all() or not positive.any():
        raise NotComputableError(WHY_NOT["auc"])
    cuts = np.unique(scores)[::-1]
    missed = np.searchsorted(np.sort(scores[positive]), cuts) / positive.sum()
    spared = np.searchsorted(np.sort(scores[~positive]), cuts) / (~positive).sum()
    youden = spared - missed  # = specificity + sensitivity - 1
    return float(cuts[np.argmax(youden)])


def _ratio(numerator: FloatArray, denominator: FloatArray) -> Statistic:
    """Ratio of two sums of whole numbers over patients, NaN where the denominator is empty."""
    # float32 holds whole numbers up to 16 million exactly.
    parts = np.stack([numerator, denominator], axis=1).astype(np.float32)

    def ratio(counts: Counts) -> FloatArray:
        sums = (counts @ parts).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            values: FloatArray = sums[:, 0] / sums[:, 1]
        return values

    return ratio


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    def mean(counts: Counts) -> FloatArray:
        values: FloatArray = np.mean([statistic(counts) for statistic in statistics], axis=0)
        return values

    return mean

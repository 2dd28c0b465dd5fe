"""Would treating those above a threshold do more good than harm? Net benefit, decision curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import (
    Counts,
    FloatArray,
    Statistic,
    percentile_interval,
    resample_blocks,
    resample_counts,
)
from mtl_hcc.metrics.survival.product_limit import ProductLimit

Shares = Callable[[Counts], tuple[FloatArray, FloatArray]]
"""Maps counts (resample, row) to the shares of true and of false positives among all patients at
each threshold: two arrays (resample, threshold)."""
PER = 100
"""Net benefit is given per 100 patients: true positives, net of false ones."""
TREAT_ALL = "treat all"
TREAT_NONE = "treat none"


def net_benefit(shares: Shares, threshold: npt.ArrayLike, counts: Counts) -> FloatArray:
    r"""Return the net benefit per 100 patients at each threshold [1]_.

    .. math:: NB(t) = 100 \left(\frac{TP}{n} - \frac{FP}{n} \frac{t}{1 - t}\right)

    The threshold t is the probability of the event from which a patient is treated; its odds are
    the harm of treating one patient in vain in units of the benefit of treating one rightly.

    Args:
        shares: From :func:`class_shares` or :func:`survival_shares`.
        threshold: (threshold,) Between 0 and 1, the same as the shares'.
        counts: (resample, row) How often each row counts.

    Returns:
        (resample, threshold), NaN where the survival of those above the threshold is unknown.

    References:
        .. [1] Vickers, Elkin, Medical Decision Making 2006;26:565-574.
    """
    cuts = np.asarray(threshold, dtype=np.float64)
    found = [shares(block) for block in resample_blocks(counts)]
    true, false = (np.concatenate([pair[k] for pair in found]) for k in (0, 1))
    benefit: FloatArray = PER * (true - false * cuts / (1 - cuts))
    return benefit


def class_shares(
    label: npt.ArrayLike, probability: npt.ArrayLike, threshold: npt.ArrayLike
) -> Shares:
    """Return the shares of true and false positives of a two-class task.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Of the positive class; zeros and ones treat none and all.
        threshold: (threshold,) A patient at or above it is treated.
    """
    treated = _treated(probability, threshold)
    positive = (np.asarray(label) == 1)[:, None]
    hits, misses = ((treated & side).astype(np.float64) for side in (positive, ~positive))

    def shares(counts: Counts) -> tuple[FloatArray, FloatArray]:
        weights = counts.astype(np.float64)
        number = weights.sum(axis=1, keepdims=True)
        return weights @ hits / number, weights @ misses / number

    return shares


def survival_shares(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    probability: npt.ArrayLike,
    threshold: npt.ArrayLike,
    horizon_days: float,
) -> Shares:
    r"""Return the shares of true and false positives at a horizon, with censoring [1]_.

    Of the share p treated, the event probability by the horizon is 1 - S, with S from Kaplan-Meier
    among the treated only: true positives p (1 - S), false positives p S. Nobody treated gives 0;
    S is unknown when the last treated patient is censored before the horizon.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        probability: (patient,) Predicted, of the event by the horizon.
        threshold: (threshold,) A patient at or above it is treated.
        horizon_days: Days.

    References:
        .. [1] Vickers, Cronin, Elkin, Gonen, BMC Medical Informatics and Decision Making 2008;8:53.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    treated = _treated(probability, threshold)
    # Thresholds between two predictions treat the same patients.
    groups, place = np.unique(treated, axis=1, return_inverse=True)
    survival_of = [_survival(times[above], events[above], horizon_days) for above in groups.T]

    def shares(counts: Counts) -> tuple[FloatArray, FloatArray]:
        number = counts.sum(axis=1, dtype=np.float64)
        true, false = np.zeros((2, len(counts), groups.shape[1]))
        for k, above in enumerate(groups.T):
            inside = counts[:, above]
            share = inside.sum(axis=1, dtype=np.float64) / number
            survival = survival_of[k](inside)
            none = share == 0
            true[:, k] = np.where(none, 0.0, share * (1 - survival))
            false[:, k] = np.where(none, 0.0, share * survival)
        return true[:, place], false[:, place]

    return shares


def _survival(time: FloatArray, event: npt.NDArray[np.bool_], days: float) -> Statistic:
    """Return Kaplan-Meier's survival at the horizon as a function of counts, NaN where unknown."""
    if len(time) == 0:
        return lambda counts: np.full(len(counts), np.nan)
    curve = ProductLimit(time, event, of="event")
    place = int(curve.after(days))

    def survival(counts: Counts) -> FloatArray:
        at_horizon: FloatArray = curve(counts)[:, place]
        followed = counts[:, time >= days].sum(axis=1) > 0
        return np.where(followed | (at_horizon == 0), at_horizon, np.nan)

    return survival


def _treated(probability: npt.ArrayLike, threshold: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return (patient, threshold): who is at or above."""
    scores = np.asarray(probability, dtype=np.float64)
    above: npt.NDArray[np.bool_] = scores[:, None] >= np.asarray(threshold, dtype=np.float64)
    return above


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per 100 patients of one strategy.

    Attributes:
        threshold: (threshold,) Probability from which a patient is treated.
        value: (threshold,) NaN where the survival of those treated is unknown.
        ci_low: (threshold,) Ends of the percentile interval; NaN where fewer than half of the
            resamples have a value, or none were asked for.
        ci_high: (threshold,)
    """

    threshold: FloatArray
    value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def decision_curves(
    models: Mapping[str, pd.DataFrame],
    threshold: npt.ArrayLike,
    *,
    horizon_days: int | None = None,
    bootstraps: int = 1000,
    seed: int = 0,
) -> dict[str, DecisionCurve]:
    """Return the decision curve of each model, of treating all and of treating none.

    Args:
        models: Name to rows with a known outcome; ``label, probability`` for a two-class task,
            ``time_days, event, survival_<days>`` for a survival task. All and none are judged on
            the patients of the first.
        threshold: (threshold,) Between 0 and 1.
        horizon_days: Of a survival task; ``None`` = two classes.
        bootstraps: Resamples of the patients; 0 = no intervals.
        seed: Of the resamples, shared by models of the same patients.
    """
    cuts = np.asarray(threshold, dtype=np.float64)
    curves = {}
    for name, rows in models.items():
        column = "probability" if horizon_days is None else f"survival_{horizon_days}"
        scores = rows[column].to_numpy(dtype=np.float64)
        scores = scores if horizon_days is None else 1 - scores
        curves[name] = _curve(rows, scores, cuts, horizon_days, bootstraps, seed)
    first = next(iter(models.values()))
    everybody = np.ones(len(first))
    curves[TREAT_ALL] = _curve(first, everybody, cuts, horizon_days, bootstraps, seed)
    nothing = np.zeros(len(cuts))
    curves[TREAT_NONE] = DecisionCurve(cuts, nothing, nothing, nothing)
    return curves


def _curve(
    rows: pd.DataFrame,
    scores: FloatArray,
    cuts: FloatArray,
    horizon_days: int | None,
    bootstraps: int,
    seed: int,
) -> DecisionCurve:
    if horizon_days is None:
        shares = class_shares(rows["label"], scores, cuts)
    else:
        shares = survival_shares(rows["time_days"], rows["event"], scores, cuts, horizon_days)
    value = net_benefit(shares, cuts, np.ones((1, len(rows)), dtype=np.float32))[0]
    if bootstraps == 0:
        empty = np.full(len(cuts), np.nan)
        return DecisionCurve(cuts, value, empty, empty)
    counts = resample_counts(rows["patient_id"], bootstraps=bootstraps, seed=seed)
    values = net_benefit(shares, cuts, counts)
    ends = np.array([percentile_interval(column) for column in values.T])
    return DecisionCurve(cuts, value, ends[:, 0], ends[:, 1])

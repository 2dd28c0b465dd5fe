"""How many times higher is the hazard of one group? Cox's model of two groups, resampled fast."""

import math

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    BoolArray,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
)
from mtl_hcc.metrics.survival.product_limit import at_risk_and_events

STEPS = 50
CLOSE = 1e-10
Z_95 = 1.959963984540054


def hazard_ratio(
    time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike
) -> tuple[float, float, float, float]:
    """Return the hazard ratio of the high-risk group, its Wald interval (95%) and p.

    Cox's model with Efron's ties, as ``coxph`` of R's survival.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        high_risk: (patient,) bool, the group.

    Raises:
        NotComputableError: A group is empty, or one has no event while the other is at risk: the
            ratio would be zero or infinite.
    """
    days, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    group = np.asarray(high_risk, dtype=bool)
    once = np.ones((1, len(days)), dtype=np.float32)
    beta, information = _log_hazard_ratio(once, days, events, group)
    if np.isnan(beta[0]):
        raise NotComputableError(why_not_hazard_ratio(events, group))
    error = 1 / math.sqrt(information[0])
    low, high = (math.exp(beta[0] + side * Z_95 * error) for side in (-1, 1))
    p = math.erfc(abs(beta[0]) / error / math.sqrt(2))
    return math.exp(beta[0]), low, high, p


def why_not_hazard_ratio(event: npt.ArrayLike, high_risk: npt.ArrayLike) -> str:
    """Return why there is no hazard ratio."""
    events, group = np.asarray(event, dtype=bool), np.asarray(high_risk, dtype=bool)
    if not events.any():
        return "no event"
    if group.all() or not group.any():
        return "a risk group is empty: all patients are in one"
    name = next(
        (word for word, rows in (("high", group), ("low", ~group)) if not events[rows].any()), ""
    )
    if name:
        return f"no event in the {name}-risk group: the hazard ratio has no finite estimate"
    return "the groups' events do not overlap in time: the hazard ratio has no finite estimate"


def hazard_ratio_statistic(
    time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike
) -> Statistic:
    """Return the hazard ratio as a function of the counts of the rows.

    Args: see :func:`hazard_ratio`; undefined resamples are NaN.
    """
    days, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    group = np.asarray(high_risk, dtype=bool)

    def ratio(counts: Counts) -> FloatArray:
        return np.exp(_log_hazard_ratio(counts, days, events, group)[0])

    return in_blocks(ratio, len(days))


def _log_hazard_ratio(
    counts: Counts, time: FloatArray, event: BoolArray, group: BoolArray
) -> tuple[FloatArray, FloatArray]:
    r"""Return the log hazard ratios and the information on them, each (resample,).

    With :math:`n_1, n_0` at risk and :math:`d_1, d_0` events of d in all at one time, the l-th of
    the tied events falls in the high-risk group with probability
    :math:`p_l = e^\beta a_1 / (e^\beta a_1 + a_0), a_g = n_g - (l / d) d_g`, l = 0, ..., d - 1;
    Newton's method finds where the events in the group equal the sum of these.
    """
    grid = np.unique(time[event])
    at_risk_high, high = at_risk_and_events(counts[:, group], time[group], event[group], grid)
    at_risk_low, low = at_risk_and_events(counts[:, ~group], time[~group], event[~group], grid)
    together = (at_risk_high > 0) & (at_risk_low > 0)
    high, low = high * together, low * together  # elsewhere the ratio plays no part
    events = (high + low).astype(np.int64)
    finite = (high.sum(axis=1) > 0) & (low.sum(axis=1) > 0)
    resample, place = np.nonzero(events)
    tied = events[resample, place]
    cell = np.repeat(np.arange(len(tied)), tied)
    away = (np.arange(len(cell)) - np.repeat(np.cumsum(tied) - tied, tied)) / tied[cell]
    of_resample, at = resample[cell], place[cell]
    a_high = at_risk_high[of_resample, at] - away * high[of_resample, at]
    a_low = at_risk_low[of_resample, at] - away * low[of_resample, at]
    number = len(counts)
    beta, information, observed = np.zeros(number), np.zeros(number), high.sum(axis=1)
    for _ in range(STEPS):
        odds = np.exp(beta)[of_resample] * a_high
        p = odds / (odds + a_low)
        information = np.bincount(of_resample, p * (1 - p), number).astype(np.float64)
        score = observed - np.bincount(of_resample, p, number)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(finite, np.clip(score / information, -2, 2), 0.0)
        beta += step
        if np.abs(step).max(initial=0.0) < CLOSE:
            break
    return np.where(finite, beta, np.nan), information

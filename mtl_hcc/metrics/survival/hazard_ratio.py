"""How do two groups differ? Hazard ratio by Cox's model, resampled fast, and log-rank test."""

import math

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    Z_95,
    BoolArray,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
)
from mtl_hcc.metrics.pair_counts import running_sums

STEPS = 50
CLOSE = 1e-10
NEVER_TOGETHER = "the groups are never at risk together"
NO_VARIANCE = 1e-9


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
    at_risk_high, high = _at_risk_and_events(counts[:, group], time[group], event[group], grid)
    at_risk_low, low = _at_risk_and_events(counts[:, ~group], time[~group], event[~group], grid)
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


def _at_risk_and_events(
    counts: Counts, time: FloatArray, event: BoolArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the numbers at risk and of events at each time of the grid.

    Args:
        counts: (resample, row).
        time: (row,) Days.
        event: (row,) bool.
        grid: (time,) Ascending, days.

    Returns:
        Two arrays (resample, time).
    """
    order = np.argsort(time, kind="stable")
    passed = running_sums(counts, order)
    at_risk = passed[:, -1:] - passed[:, np.searchsorted(time[order], grid, side="left")]
    occurred = order[event[order]]
    passed = running_sums(counts, occurred)
    first, after = (np.searchsorted(time[occurred], grid, side=side) for side in ("left", "right"))
    return at_risk, passed[:, after] - passed[:, first]


def logrank(
    time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike
) -> tuple[float, int, float]:
    """Return statistic, degrees of freedom and p of the log-rank test (scikit-survival).

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        group: (patient,) Any labels; at least two.

    Raises:
        NotComputableError: One group, no event, or a group that is never at risk beside another.
    """
    from sksurv.compare import compare_survival
    from sksurv.util import Surv

    events, names = np.asarray(event, dtype=bool), np.asarray(group)
    degrees = len(np.unique(names)) - 1
    if degrees < 1:
        raise NotComputableError("a risk group is empty: all patients are in one")
    if not events.any():
        raise NotComputableError("no event")
    outcome = Surv.from_arrays(event=events, time=np.asarray(time, dtype=np.float64))
    try:
        found = compare_survival(outcome, names, return_stats=True)
    except np.linalg.LinAlgError as error:
        raise NotComputableError(NEVER_TOGETHER) from error
    chi_square, p, _, variance = found
    # The library solves what rounding leaves of a variance of zero, too.
    if np.diag(variance).min() < NO_VARIANCE:
        raise NotComputableError(NEVER_TOGETHER)
    return float(chi_square), degrees, float(p)

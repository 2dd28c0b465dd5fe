"""How many days of survival does a group lose? The restricted mean survival time (RMST)."""

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
from mtl_hcc.metrics.survival.product_limit import ProductLimit, kaplan_meier


def restricted_mean(
    time: npt.ArrayLike, event: npt.ArrayLike, horizon_days: float
) -> tuple[float, float]:
    r"""Return the mean survival time up to the horizon and its standard error, both in days.

    The mean :math:`\int_0^\tau S(t)\,dt` is the area under Kaplan-Meier's curve; its variance is
    :math:`\sum_{t_k \le \tau} [\int_{t_k}^\tau S(t)\,dt]^2 d_k / (n_k (n_k - d_k))` [1]_, as
    ``rmean`` of R's ``survfit``.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        horizon_days: The horizon :math:`\tau`.

    Raises:
        NotComputableError: No patient, or the follow-up ends before the horizon with some alive.

    References:
        .. [1] Royston and Parmar, BMC Medical Research Methodology 2013;13:152.
    """
    if len(np.asarray(time)) == 0:
        raise NotComputableError("a risk group is empty")
    curve = kaplan_meier(time, event)
    if curve.time[-1] < horizon_days and curve.survival[-1] > 0:
        raise NotComputableError(
            f"follow-up of a group ends at day {curve.time[-1]:g}, before the horizon"
        )
    inside = curve.time < horizon_days
    widths = np.diff(np.append(curve.time[inside], horizon_days))
    areas = curve.survival[inside] * widths
    after = np.cumsum(areas[::-1])[::-1]  # from each time to the horizon
    at_risk, events = curve.at_risk[inside], curve.events[inside]
    left = np.maximum(at_risk * (at_risk - events), 1).astype(np.float64)
    variance = np.where(at_risk > events, after**2 * events / left, 0.0).sum()
    return float(areas.sum()), float(np.sqrt(variance))


def restricted_mean_difference(
    time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike, horizon_days: float
) -> tuple[float, float, float, float]:
    """Return RMST of the high-risk minus the low-risk group, its interval (95%) and p.

    Negative: the high-risk group loses that many days up to the horizon.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        high_risk: (patient,) bool, the group.
        horizon_days: The horizon.

    Raises:
        NotComputableError: As :func:`restricted_mean`, for either group.
    """
    from scipy.stats import norm

    days, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    group = np.asarray(high_risk, dtype=bool)
    high, low = (
        restricted_mean(days[rows], events[rows], horizon_days) for rows in (group, ~group)
    )
    difference, error = high[0] - low[0], float(np.hypot(high[1], low[1]))
    half = Z_95 * error
    p = float(2 * norm.sf(abs(difference) / error)) if error > 0 else float("nan")
    return difference, difference - half, difference + half, p


def restricted_mean_statistic(
    time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike, horizon_days: float
) -> Statistic:
    """Return the difference of RMST as a function of the counts of the rows.

    Args: see :func:`restricted_mean_difference`; resamples in which the follow-up of a group ends
    before the horizon with some alive are NaN.
    """
    days, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    group = np.asarray(high_risk, dtype=bool)
    area = _area(days, events, horizon_days)

    def difference(counts: Counts) -> FloatArray:
        # Patients of the other group count zero and are not cut out: two models that put those who
        # are drawn into the same groups differ by zero, and not by rounding, on which p would hang.
        return area(counts * group) - area(counts * ~group)

    return in_blocks(difference, len(days))


def _area(time: FloatArray, event: BoolArray, horizon_days: float) -> Statistic:
    """Return the restricted mean as a function of counts."""
    curve = ProductLimit(time, event, of="event")
    inside = curve.times[curve.times < horizon_days]
    widths = np.diff(np.concatenate([[0.0], inside, [horizon_days]]))

    def area(counts: Counts) -> FloatArray:
        survival = curve(counts)[:, : len(widths)]
        reaches = counts[:, time >= horizon_days].sum(axis=1) > 0
        known = reaches | ((survival[:, -1] <= 0) & (counts.sum(axis=1) > 0))
        return np.where(known, survival @ widths, np.nan)

    return area

"""How many are still event-free, and how sure is that? Kaplan-Meier, also of all resamples."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import LEVEL, Counts, FloatArray, NotComputableError
from mtl_hcc.metrics.pair_counts import running_sums

Rows = npt.NDArray[np.intp]
TOLERANCE = 1e-9


class ProductLimit:
    r"""The probability of being event-free, or of being still followed, for all resamples at once.

    .. math:: S(t) = \prod_{u \le t} \left(1 - \frac{d_u}{n_u}\right), \qquad
        G(t) = \prod_{u \le t} \left(1 - \frac{c_u}{n_u - d_u}\right)

    with d events and c censored at time u among n at risk: an event comes before a censoring of the
    same time, for G as in R's ``prodlim(reverse = TRUE)`` and scikit-survival. Patients are sorted
    once; a resample costs :math:`O(n)`.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        of: What ends it: S by an event, or G by a censoring.
    """

    def __init__(
        self, time: npt.ArrayLike, event: npt.ArrayLike, *, of: Literal["event", "censoring"]
    ) -> None:
        times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
        self.order = np.lexsort((~events, times))
        ends = times[self.order]
        counted = np.flatnonzero(events[self.order] if of == "event" else ~events[self.order])
        self.times, first, number = np.unique(ends[counted], return_index=True, return_counts=True)
        self.first = counted[first]  # those of one time and kind stand together
        self.past = self.first + number

    def __call__(self, counts: Counts) -> FloatArray:
        """Return the estimate before the first and after each time: (resample, 1 + time).

        It stays where it is when nobody is left.
        """
        sums = running_sums(counts, self.order)
        followed = sums[:, -1:] - sums
        at_risk, left = followed.take(self.first, axis=1), followed.take(self.past, axis=1)
        heights = np.ones((len(counts), 1 + len(self.times)))
        share = np.divide(left, at_risk, out=np.ones_like(left), where=at_risk > 0)
        np.cumprod(share, axis=1, out=heights[:, 1:])
        return heights

    def before(self, days: npt.ArrayLike) -> Rows:
        """Return the columns that hold the estimate just before each day."""
        return np.searchsorted(self.times, np.asarray(days, dtype=np.float64), side="left")

    def after(self, days: npt.ArrayLike) -> Rows:
        """Return the columns that hold the estimate just after each day."""
        return np.searchsorted(self.times, np.asarray(days, dtype=np.float64), side="right")


@dataclass(frozen=True)
class KaplanMeier:
    """Kaplan-Meier's curve with pointwise 95% intervals.

    Attributes:
        time: (time,) Distinct times from 0 to the last follow-up, days.
        at_risk: (time,) Patients followed up to that time, it included.
        events: (time,) Events at that time.
        survival: (time,) Just after that time.
        ci_low: (time,) NaN where the variance is undefined (nobody left).
        ci_high: (time,) Likewise.
    """

    time: FloatArray
    at_risk: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]
    survival: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray

    def at(self, days: float) -> tuple[float, float, float]:
        """Return survival and its interval at a time; NaN after the last follow-up."""
        if days > self.time[-1]:
            return float("nan"), float("nan"), float("nan")
        place = int(np.searchsorted(self.time, days, side="right")) - 1
        ends = (self.survival[place], self.ci_low[place], self.ci_high[place])
        return float(ends[0]), float(ends[1]), float(ends[2])

    def median(self) -> tuple[float, float, float]:
        """Return the median time and its interval [1]_, days; NaN for an end not reached.

        The ends are the times at which the limits of the curve's interval cross one half. Where a
        curve is flat at one half, the middle of that stretch is taken (as R's ``quantile``).

        References:
            .. [1] Brookmeyer and Crowley, Biometrics 1982;38:29-41.
        """
        curves = (self.survival, self.ci_low, self.ci_high)
        first, low, high = (_crossing(self.time, curve, 0.5) for curve in curves)
        return first, low, high


def kaplan_meier(time: npt.ArrayLike, event: npt.ArrayLike) -> KaplanMeier:
    """Return Kaplan-Meier's curve with intervals on the log-log scale (scikit-survival).

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.

    Example:
        >>> curve = kaplan_meier([10, 20, 30, 40], [1, 0, 1, 1])
        >>> curve.survival.round(3).tolist(), curve.median()[0]
        ([1.0, 0.75, 0.75, 0.375, 0.0], 30.0)
    """
    from sksurv.nonparametric import kaplan_meier_estimator

    days, occurred = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    grid = survival = low = high = np.empty(0)
    if len(days):
        grid, survival, (low, high) = kaplan_meier_estimator(
            occurred, days, conf_level=LEVEL, conf_type="log-log"
        )
    if len(grid) == 0 or grid[0] > 0:
        grid = np.append(0.0, grid)
        survival, low, high = (np.append(1.0, curve) for curve in (survival, low, high))
    low, high = (np.where(survival > 0, end, np.nan) for end in (low, high))  # as in R
    events = np.bincount(np.searchsorted(grid, days[occurred]), minlength=len(grid))
    return KaplanMeier(grid, number_at_risk(days, grid), events, survival, low, high)


def median_follow_up(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[float, float, float]:
    """Return the median follow-up and its interval, days, by reverse Kaplan-Meier [1]_.

    Censoring is the event and an event ends the observation, so that early deaths do not make the
    follow-up look short.

    Raises:
        NotComputableError: Fewer than half of the follow-up is known to end by censoring.

    References:
        .. [1] Schemper and Smith, Controlled Clinical Trials 1996;17:343-346.
    """
    censored = ~np.asarray(event, dtype=bool)
    median, low, high = kaplan_meier(time, censored).median()
    if np.isnan(median):
        raise NotComputableError("too few patients are censored: the median is not reached")
    return median, low, high


def _crossing(time: FloatArray, curve: FloatArray, level: float) -> float:
    """Return when a falling curve reaches the level; the middle of a stretch that lies on it."""
    known = np.isfinite(curve)
    time, curve = time[known], curve[known]
    reached = np.flatnonzero(curve <= level + TOLERANCE)
    if len(reached) == 0:
        return float("nan")
    below = np.flatnonzero(curve < level - TOLERANCE)
    end = time[below[0]] if len(below) else time[-1]
    on_level = abs(curve[reached[0]] - level) <= TOLERANCE
    return float((time[reached[0]] + end) / 2 if on_level else time[reached[0]])


def number_at_risk(time: npt.ArrayLike, at: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return how many patients are followed up to each time, that time included."""
    times = np.sort(np.asarray(time, dtype=np.float64))
    return len(times) - np.searchsorted(times, np.asarray(at, dtype=np.float64), side="left")

"""Who stands for the censored: weights by Kaplan-Meier of the censoring, in each resample anew."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import ELEMENTS_AT_ONCE, BoolArray, Counts, FloatArray
from mtl_hcc.metrics.survival.product_limit import ProductLimit

Rows = npt.NDArray[np.intp]
KEPT_UP_TO = 500_000
"""Numbers (resample, patient) up to which the curves are kept for the next metric."""
WEIGHTS_FROM = "censoring weights from the evaluated rows"
"""For the column ``method``."""


class CensoringWeights:
    """The censoring curve of the rows that are evaluated, for any resamples of them.

    It comes from these rows and never from train: another hospital follows its patients for another
    time, and a patient who is still followed there stands for those whom *that* hospital lost. The
    curve of all folds is one, since folds tell models apart and not patients.

    Args:
        rows: ``time_days, event`` of one survival task.

    Attributes:
        curve: The probability of being still followed, a function of the counts.
        own: (row,) Column of the curve with G just before its own time.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        self.curve = ProductLimit(rows["time_days"], rows["event"], of="censoring")
        self.own = self.curve.before(rows["time_days"])
        self._last: tuple[Counts, FloatArray] | None = None

    def blocks(self, counts: Counts) -> Iterator[tuple[slice, FloatArray]]:
        """Yield the place of each block of resamples and its curves (resample, 1 + time)."""
        if counts.size > KEPT_UP_TO:
            step = max(1, ELEMENTS_AT_ONCE // max(1, counts.shape[1]))
            for start in range(0, len(counts), step):
                part = slice(start, start + step)
                yield part, self.curve(counts[part])
            return
        if self._last is None or self._last[0] is not counts:  # metrics share their resamples
            self._last = counts, self.curve(counts)
        yield slice(None), self._last[1]

    def horizon_weights(self, heights: FloatArray, days: float) -> FloatArray:
        """Return 1 / G(t) at one time, the same for every row: NaN where nobody is followed.

        Args:
            heights: From :meth:`blocks`.
            days: The time t.

        Returns:
            (resample, 1).
        """
        then = heights[:, [int(self.curve.after(days))]]
        return np.divide(1, then, out=np.full_like(then, np.nan), where=then > 0)

    def event_weights(self, heights: FloatArray, of: Rows | None = None) -> FloatArray:
        """Return 1 / G(t-) at each row's own time, 0 where nobody is followed any more.

        Args:
            heights: From :meth:`blocks`.
            of: Rows that are asked about; default: all.

        Returns:
            (resample, row asked about).
        """
        own = heights.take(self.own if of is None else self.own[of], axis=1)
        return np.divide(1, own, out=np.zeros_like(own), where=own > 0)


def cases_and_controls(rows: pd.DataFrame, days: float) -> tuple[BoolArray, BoolArray]:
    """Return who has the event by the horizon, and who is event-free beyond it."""
    time, event = rows["time_days"].to_numpy(np.float64), rows["event"].to_numpy(bool)
    return event & (time <= days), time > days


class HorizonOutcome:
    r"""The event by a horizon as a yes or no, weighted for those whose answer censoring hides.

    A patient with the event at :math:`T \le t` counts :math:`1 / G(T-)`, one followed beyond t
    counts :math:`1 / G(t)`, one censored before does not count [1]_. G is Kaplan-Meier's estimate
    of being uncensored, of these patients and anew in each resample, so that the weighted share of
    events is one minus their Kaplan-Meier estimate.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        horizon_days: Days.

    Attributes:
        label: (patient,) 1 = event by the horizon.

    References:
        .. [1] Blanche, Holt, Scheike, Lifetime Data Analysis 2023;29:441-482.

    Example:
        >>> outcome = HorizonOutcome([10, 20, 30, 40], [1, 0, 1, 0], 35)
        >>> outcome.label.tolist(), outcome(np.ones((1, 4), dtype=np.float32))[0].round(3).tolist()
        ([1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.5, 1.5])
    """

    def __init__(self, time: npt.ArrayLike, event: npt.ArrayLike, horizon_days: float) -> None:
        times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
        by_then = events & (times <= horizon_days)
        self.label: FloatArray = by_then.astype(np.float64)
        self._known = by_then | (times > horizon_days)
        self._curve = ProductLimit(times, events, of="censoring")
        self._place = np.where(
            by_then, self._curve.before(times), int(self._curve.after(horizon_days))
        )

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, patient): how much each patient counts."""
        followed = self._curve(counts).take(self._place, axis=1)
        counted = counts * self._known
        return np.divide(counted, followed, out=np.zeros_like(followed), where=counted > 0)

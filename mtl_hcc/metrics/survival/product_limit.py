"""Kaplan-Meier's estimate as a function of counts: of the events, or of the censoring."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.lower_risk import running_sums
from mtl_hcc.metrics.statistic import Counts, FloatArray

Rows = npt.NDArray[np.intp]


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

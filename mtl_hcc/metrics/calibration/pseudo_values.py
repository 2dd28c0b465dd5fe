"""What stands for an outcome that censoring hides: jackknife pseudo-values at a horizon."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import Counts, FloatArray


def pseudo_values(time: npt.ArrayLike, event: npt.ArrayLike, horizon_days: float) -> FloatArray:
    r"""Return the pseudo-values of the event probability at a horizon [1]_.

    With F the Kaplan-Meier estimate :math:`1 - S(t)` of all n patients and :math:`F^{(-i)}` that
    without patient i, :math:`\theta_i = n F - (n-1) F^{(-i)}`. Without censoring before the horizon
    it is 1 for an event by then, else 0; its mean is about F. Exact, in O(n log n).

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        horizon_days: Days.

    References:
        .. [1] Andersen, Perme, Statistical Methods in Medical Research 2010;19:71-99.

    Example:
        >>> pseudo_values([10, 20, 30, 40], [1, 1, 1, 0], 25).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    places = PseudoValues(time, event, horizon_days)
    values: FloatArray = places(np.ones((1, len(places.code)), dtype=np.float32))[0]
    return values


class PseudoValues:
    """The pseudo-values of every resample, as a function of the counts.

    Each drawn copy of a patient is one of the resample's n; leaving one copy out changes the number
    at risk by one up to its time. So there are at most two values per distinct event time: for
    patients with that event, and for patients who leave after it.

    Args: see :func:`pseudo_values`.
    """

    def __init__(self, time: npt.ArrayLike, event: npt.ArrayLike, horizon_days: float) -> None:
        times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
        before = events & (times <= horizon_days)
        grid = np.unique(times[before])
        self._events = len(grid)
        self._order = np.argsort(times, kind="stable")
        self._first_at_risk = np.searchsorted(times[self._order], grid)
        self._dying = np.flatnonzero(before)[np.argsort(times[before], kind="stable")]
        self._first_dying = np.searchsorted(times[self._dying], grid)
        place = np.searchsorted(grid, times)  # of an event
        passed = np.searchsorted(grid, times, side="right")  # event times up to the own time
        self.code = np.where(before, place, self._events + passed)
        """(patient,) Which of the values of a resample is the patient's."""

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, patient) pseudo-values; patients not drawn get some number."""
        weights = counts.astype(np.float64)
        number = weights.sum(axis=1, keepdims=True)
        if self._events == 0:
            return np.zeros_like(weights)
        deaths = np.add.reduceat(weights[:, self._dying], self._first_dying, axis=1)
        ordered = weights[:, self._order]
        at_risk = number - (np.cumsum(ordered, axis=1) - ordered)[:, self._first_at_risk]
        fewer = np.maximum(at_risk - 1, 1)
        ones = np.ones_like(number)
        kept = 1 - deaths / np.maximum(at_risk, 1)
        kept_fewer = 1 - deaths / fewer
        # Nobody is left after the last one: the curve stays where it was.
        own = np.where(at_risk > 1, 1 - (deaths - 1) / fewer, 1.0)
        before = np.concatenate([ones, np.cumprod(kept_fewer, axis=1)], axis=1)  # (resample, k+1)
        after = np.concatenate([np.cumprod(kept[:, ::-1], axis=1)[:, ::-1], ones], axis=1)
        without = np.concatenate([before[:, :-1] * own * after[:, 1:], before * after], axis=1)
        event_free = number * after[:, :1] - (number - 1) * without
        values: FloatArray = (1 - event_free)[:, self.code]
        return values

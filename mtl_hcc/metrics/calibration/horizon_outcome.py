"""Who has had the event by a horizon, and how much each patient counts when some are censored."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import Counts, FloatArray
from mtl_hcc.metrics.survival.risk_counts import at_risk_and_events


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
        self._time = np.asarray(time, dtype=np.float64)
        events = np.asarray(event, dtype=bool)
        by_then = events & (self._time <= horizon_days)
        self.label: FloatArray = by_then.astype(np.float64)
        self._known = by_then | (self._time > horizon_days)
        self._event = events
        self._grid = np.unique(self._time[~events])
        self._place = np.where(
            by_then,
            np.searchsorted(self._grid, self._time, side="left"),
            np.searchsorted(self._grid, horizon_days, side="right"),
        )

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, patient): how much each patient counts."""
        at_risk, left = at_risk_and_events(counts, self._time, ~self._event, self._grid)
        _, events = at_risk_and_events(counts, self._time, self._event, self._grid)
        # At one time, events come before censorings.
        steps = 1 - left / np.maximum(at_risk - events, 1)
        uncensored = np.concatenate([np.ones((len(counts), 1)), np.cumprod(steps, axis=1)], axis=1)
        weights: FloatArray = counts * self._known / np.maximum(uncensored, 1e-12)[:, self._place]
        return weights

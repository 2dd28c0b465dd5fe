"""Who has had the event by a horizon, and how much each patient counts when some are censored."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import Counts, FloatArray
from mtl_hcc.metrics.survival.product_limit import ProductLimit


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

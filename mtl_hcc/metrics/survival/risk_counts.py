"""How many are at risk and have the event at each time, for all resamples of the rows at once."""

import numpy as np

from mtl_hcc.metrics.lower_risk import running_sums
from mtl_hcc.metrics.statistic import BoolArray, Counts, FloatArray


def at_risk_and_events(
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

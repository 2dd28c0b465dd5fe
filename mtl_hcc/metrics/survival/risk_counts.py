"""How many are at risk and have the event at each time, for all resamples of the rows at once."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import BoolArray, Counts, FloatArray

CELLS_AT_ONCE = 4_000_000
"""Bounds the memory: cells (resample, row) held in one block."""


def at_risk_and_events(
    counts: Counts, time: FloatArray, event: BoolArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the numbers at risk and of events at each time of the grid.

    Args:
        counts: (resample, row).
        time: (row,) Days.
        event: (row,) bool.
        grid: (time,) Ascending; holds every time with an event.

    Returns:
        Two arrays (resample, time).
    """
    order = np.argsort(time, kind="stable")
    days, occurred = time[order], event[order]
    weights = counts[:, order].astype(np.float64)
    first, after = np.searchsorted(days, grid, "left"), np.searchsorted(days, grid, "right")
    passed = _running_sum(weights)
    at_risk = passed[:, -1:] - passed[:, first]
    events = _running_sum(weights * occurred)
    return at_risk, events[:, after] - events[:, first]


def blocks(counts: Counts) -> list[Counts]:
    """Cut the resamples into blocks of bounded size."""
    step = max(1, CELLS_AT_ONCE // max(1, counts.shape[1]))
    return [counts[start : start + step] for start in range(0, len(counts), step)]


def _running_sum(weights: npt.NDArray[np.float64]) -> FloatArray:
    """Return (resample, row + 1) sums over the rows before each place."""
    total = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=total[:, 1:])
    return total

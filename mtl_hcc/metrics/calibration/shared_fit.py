"""Several metrics of one fit: fitted once per table of counts, in blocks that bound the memory."""

import weakref
from collections.abc import Callable

import numpy as np

from mtl_hcc.metrics.statistic import Counts, FloatArray, Statistic

CELLS_AT_ONCE = 60_000
"""(resample, row) cells of one block: half a megabyte per array stays in the processor's cache."""
Fit = Callable[[Counts], dict[str, FloatArray]]
"""Maps counts (resample, row) to some metrics, each (resample,)."""


class SharedFit:
    """A fit that gives several metrics; the sample and the last resamples are remembered.

    Args:
        fit: Computes the metrics of a block of resamples.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._sample: tuple[Counts, dict[str, FloatArray]] | None = None
        self._counts: weakref.ref[Counts] | None = None
        self._values: dict[str, FloatArray] = {}

    def statistic(self, name: str) -> Statistic:
        """Return one of the metrics as a function of counts."""
        return lambda counts: self.values(counts)[name]

    def values(self, counts: Counts) -> dict[str, FloatArray]:
        """Return all metrics of all resamples."""
        if len(counts) == 1:
            if self._sample is None or not np.array_equal(self._sample[0], counts):
                self._sample = counts, self._fit(counts)
            return self._sample[1]
        if self._counts is None or self._counts() is not counts:
            blocks = [self._fit(block) for block in resample_blocks(counts)]
            self._values = {
                name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]
            }
            self._counts = weakref.ref(counts)  # 400 MB for 100,000 patients: not kept alive
        return self._values


def resample_blocks(counts: Counts) -> list[Counts]:
    """Cut the resamples into blocks of at most :data:`CELLS_AT_ONCE` cells."""
    size = max(1, CELLS_AT_ONCE // max(1, counts.shape[1]))
    return [counts[start : start + size] for start in range(0, max(1, len(counts)), size)]

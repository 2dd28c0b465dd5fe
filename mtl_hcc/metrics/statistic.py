"""What a metric is here: a function of how often each row counts, so that it can be resampled."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.float32]
"""(resample, row): how often each row of the table counts; all ones is the sample itself."""
Statistic = Callable[[Counts], FloatArray]
"""Maps counts (resample, row) to the metric's values (resample,), NaN where it is undefined."""

ELEMENTS_AT_ONCE = 250_000
"""Numbers (resample, row) that a statistic works on at once: they fit into the cache."""


class NotComputableError(ValueError):
    """A metric has no value on this sample; the message is the reason, as one clause."""


def point_value(statistic: Statistic, rows: int) -> float:
    """Return the statistic of the sample itself."""
    return float(statistic(np.ones((1, rows), dtype=np.float32))[0])


def in_blocks(statistic: Statistic, width: int) -> Statistic:
    """Return the same statistic, computed for some resamples after the other.

    Args:
        statistic: Any that treats each resample by itself.
        width: Numbers that it holds for one resample.
    """
    block = max(1, ELEMENTS_AT_ONCE // max(1, width))

    def blockwise(counts: Counts) -> FloatArray:
        if len(counts) <= block:
            return statistic(counts)
        starts = range(0, len(counts), block)
        return np.concatenate([statistic(counts[start : start + block]) for start in starts])

    return blockwise

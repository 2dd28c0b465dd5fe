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


class NotComputableError(ValueError):
    """A metric has no value on this sample; the message is the reason, as one clause."""


def point_value(statistic: Statistic, rows: int) -> float:
    """Return the statistic of the sample itself."""
    return float(statistic(np.ones((1, rows), dtype=np.float32))[0])

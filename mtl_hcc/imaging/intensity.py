"""From HU (or MR units) to [0, 1]: clip at percentiles inside the regions, then scale."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def clip_range(
    values: NDArray[Any], percentiles: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the two clip values, or ``None`` where they coincide (a constant region).

    Args:
        values: (voxel,) intensities inside liver and tumor.
        percentiles: Lower and upper percentile, 0 to 100.
    """
    if values.size == 0:
        return None
    low, high = (float(v) for v in np.percentile(values, percentiles))
    return (low, high) if high > low else None


def to_unit(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float16]:
    """Clip to [low, high] and scale to [0, 1]: ``low + (high - low) * result`` gives HU again.

    float16 carries eleven bits: over a range of 200 HU the rounding is below 0.05 HU.
    """
    scaled = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float16)


def to_hu(images: NDArray[np.float16], low: float, high: float) -> NDArray[np.float32]:
    """Return intensities in the source's unit from prepared ones and their clip values."""
    return np.float32(low) + images.astype(np.float32) * np.float32(high - low)

"""From HU (or MR units) to [0, 1]: choose a range, clip to it, then scale."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.errors import ConfigError


class Intensity(ABC):
    """Chooses the range of intensities that becomes [0, 1]."""

    @abstractmethod
    def range_of(self, inside: NDArray[Any]) -> tuple[float, float] | None:
        """Return the two clip values of one image, or ``None`` where they coincide.

        Args:
            inside: (voxel,) intensities of the image inside liver and tumor.
        """

    def as_dict(self) -> dict[str, Any]:
        """Return class and settings as plain values."""
        name = f"{type(self).__module__}.{type(self).__name__}"
        return {"class_path": name, "init_args": asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class Percentiles(Intensity):
    """Percentiles of the image inside liver and tumor: the choice of the CT multi-task paper.

    Args:
        low: Lower percentile, 0 to 100.
        high: Upper percentile, above ``low``.
    """

    low: float = 2.5
    high: float = 97.5

    def __post_init__(self) -> None:
        """Check the percentiles."""
        if not 0 <= self.low < self.high <= 100:
            raise ConfigError(
                f"percentiles {self.low:g} and {self.high:g}",
                where="preparation.views, intensity",
                expected="two rising numbers from 0 to 100, such as 2.5 and 97.5",
                remedy="Correct low and high.",
            )

    def range_of(self, inside: NDArray[Any]) -> tuple[float, float] | None:
        """Return the percentiles' values."""
        if inside.size == 0:
            return None
        low, high = (float(v) for v in np.percentile(inside, (self.low, self.high)))
        return (low, high) if high > low else None


@dataclass(frozen=True, kw_only=True)
class Window(Intensity):
    """A fixed window, the same for every patient: for CT, where numbers have a unit.

    Args:
        low: Becomes 0, in HU.
        high: Becomes 1, in HU, above ``low``.
    """

    low: float = -100.0
    high: float = 250.0

    def __post_init__(self) -> None:
        """Check the window."""
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise ConfigError(
                f"a window from {self.low:g} to {self.high:g}",
                where="preparation.views, intensity",
                expected="two rising numbers in HU, such as -100 and 250",
                remedy="Correct low and high.",
            )

    def range_of(self, inside: NDArray[Any]) -> tuple[float, float] | None:
        """Return the window; ``None`` where the image is constant inside the regions."""
        if inside.size == 0 or inside.min() == inside.max():
            return None
        return self.low, self.high


def to_unit(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float16]:
    """Clip to [low, high] and scale to [0, 1]: ``low + (high - low) * result`` gives HU again.

    float16 carries eleven bits: over a range of 200 HU the rounding is below 0.05 HU.
    """
    scaled = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float16)

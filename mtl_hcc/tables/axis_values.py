"""Which values are marked on an axis: round ones that span what the patients have."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

INTERVALS = 6
"""About so many steps between marks."""
PROBABILITIES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)


def central_range(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the range without the extremes: R's rms leaves out ten patients at each end.

    Of fewer than 200 patients 5% are left out at each end.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    share = 10 / max(len(known), 200)
    low, high = np.quantile(known, [share, 1 - share])
    return float(low), float(high)


def round_values(low: float, high: float) -> tuple[float, ...]:
    """Return multiples of 1, 2 or 5 times a power of ten that span a range.

    Example:
        >>> round_values(22.0, 88.0)
        (20.0, 40.0, 60.0, 80.0, 100.0)
    """
    if high <= low:
        return (low, low + 1)
    raw = (high - low) / INTERVALS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(place * step, 10) for place in range(first, last + 1))


def powers_of_ten(low: float, high: float) -> tuple[float, ...]:
    """Return powers of ten, and 2 and 5 times them over less than two of them, spanning a range.

    Args:
        low: Above 0.
        high: Above ``low``.

    Example:
        >>> powers_of_ten(2.0, 700.0)
        (1.0, 10.0, 100.0, 1000.0)
    """
    factors = (1.0,) if high / low >= 50 else (1.0, 2.0, 5.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return spanning(marks, low, high)


def spanning(marks: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Return the marks from the last one up to ``low`` to the first one from ``high`` on."""
    start = max((m for m in marks if m <= low * (1 + 1e-9)), default=marks[0])
    end = min((m for m in marks if m >= high * (1 - 1e-9)), default=marks[-1])
    return tuple(mark for mark in marks if start <= mark <= end)

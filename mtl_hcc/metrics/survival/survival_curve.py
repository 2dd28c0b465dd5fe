"""How many are still event-free: Kaplan-Meier's curve and the number at risk."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray


def survival_curve(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    r"""Return Kaplan-Meier's estimate :math:`S(t) = \prod_{t_k \le t} (1 - d_k / n_k)`.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.

    Returns:
        Distinct times from 0 to the last follow-up, and the survival just after each.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    grid = np.unique(np.append(times, 0.0))
    deaths = np.bincount(np.searchsorted(grid, times), weights=events, minlength=len(grid))
    at_risk = number_at_risk(times, grid)
    return grid, np.cumprod(1 - deaths / np.maximum(at_risk, 1), dtype=np.float64)


def number_at_risk(time: npt.ArrayLike, at: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return how many patients are followed up to each time, that time included."""
    times = np.sort(np.asarray(time, dtype=np.float64))
    return len(times) - np.searchsorted(times, np.asarray(at, dtype=np.float64), side="left")

"""How many are still event-free: Kaplan-Meier's curve, the number at risk, the log-rank test."""

import math

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray, NotComputableError


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


def logrank_p(time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike) -> float:
    """Return the two-sided p of the log-rank test of two groups (as R's ``survdiff``).

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        high_risk: (patient,) bool, the group.

    Raises:
        NotComputableError: A group is empty, or there is no event.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    group = np.asarray(high_risk, dtype=bool)
    if group.all() or not group.any() or not events.any():
        raise NotComputableError("a risk group is empty, or there is no event")
    grid = np.unique(times[events])
    place = np.searchsorted(grid, times[events])
    deaths = np.bincount(place, minlength=len(grid))
    deaths_high = np.bincount(place, weights=group[events], minlength=len(grid))
    at_risk, at_risk_high = number_at_risk(times, grid), number_at_risk(times[group], grid)
    share = at_risk_high / at_risk
    expected = deaths * share
    variance = expected * (1 - share) * (at_risk - deaths) / np.maximum(at_risk - 1, 1)
    if variance.sum() == 0:
        raise NotComputableError("the groups are never at risk together")
    chi_square = float((deaths_high - expected).sum() ** 2 / variance.sum())
    return math.erfc(math.sqrt(chi_square / 2))

"""Do groups of patients differ in survival? The log-rank test, for any groups and for a trend."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import FloatArray, NotComputableError
from mtl_hcc.metrics.survival.product_limit import number_at_risk


@dataclass(frozen=True)
class LogRank:
    """What the log-rank test found.

    Attributes:
        groups: Names in sorted order.
        observed: (group,) Events.
        expected: (group,) Events if survival were equal.
        variance: (group, group) Of observed minus expected.
        chi_square: The test's statistic.
        degrees: Its degrees of freedom.
        p: Two-sided.
    """

    groups: tuple[object, ...]
    observed: FloatArray
    expected: FloatArray
    variance: FloatArray
    chi_square: float
    degrees: int
    p: float


def logrank(time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike) -> LogRank:
    """Test whether the groups have one survival curve (as R's ``survdiff``).

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        group: (patient,) Any labels; at least two.

    Raises:
        NotComputableError: One group, no event, or groups that are never at risk together.
    """
    groups, observed, expected, variance = _sums(time, event, group)
    kept = np.flatnonzero(expected > 0)[:-1]  # the differences add up to zero
    if len(kept) == 0:
        raise NotComputableError("the groups are never at risk together")
    difference = (observed - expected)[kept]
    try:
        chi_square = float(difference @ np.linalg.solve(variance[np.ix_(kept, kept)], difference))
    except np.linalg.LinAlgError as error:
        raise NotComputableError("the groups are never at risk together") from error
    return _result(groups, observed, expected, variance, chi_square, len(kept))


def logrank_trend(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    scores: Sequence[float] | None = None,
) -> LogRank:
    r"""Test whether survival falls or rises from group to group (Tarone's test [1]_).

    With scores w, observed O, expected E and the log-rank test's variance V:
    :math:`\chi^2_1 = [w^T (O - E)]^2 / w^T V w`.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        group: (patient,) Labels whose sorted order is that of the trend, e.g. a stage.
        scores: One per group in that order; default 1, 2, 3, ...

    Raises:
        NotComputableError: As :func:`logrank`.

    References:
        .. [1] Tarone, Biometrika 1975;62:679-682.
    """
    groups, observed, expected, variance = _sums(time, event, group)
    weights = np.asarray(scores or range(1, len(groups) + 1), dtype=np.float64)
    spread = float(weights @ variance @ weights)
    if not spread > 0:
        raise NotComputableError("the groups are never at risk together")
    chi_square = float(weights @ (observed - expected)) ** 2 / spread
    return _result(groups, observed, expected, variance, chi_square, 1)


def logrank_p(time: npt.ArrayLike, event: npt.ArrayLike, high_risk: npt.ArrayLike) -> float:
    """Return the two-sided p of the log-rank test of two groups.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        high_risk: (patient,) bool, the group.

    Raises:
        NotComputableError: As :func:`logrank`.
    """
    return logrank(time, event, np.asarray(high_risk, dtype=bool)).p


def _sums(
    time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike
) -> tuple[tuple[object, ...], FloatArray, FloatArray, FloatArray]:
    """Return group names, observed and expected events (group,), and the variance matrix."""
    days, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    names, of_patient = np.unique(np.asarray(group), return_inverse=True)
    if len(names) < 2:
        raise NotComputableError("a risk group is empty: all patients are in one")
    if not events.any():
        raise NotComputableError("no event")
    grid, place = np.unique(days[events], return_inverse=True)
    deaths = np.bincount(place, minlength=len(grid)).astype(np.float64)
    at_risk = number_at_risk(days, grid).astype(np.float64)
    of_group = np.stack(
        [number_at_risk(days[of_patient == k], grid) for k in range(len(names))], axis=1
    )  # (event time, group)
    share = of_group / at_risk[:, None]
    spread = deaths * (at_risk - deaths) / np.maximum(at_risk - 1, 1)
    variance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    observed = np.bincount(of_patient[events], minlength=len(names)).astype(np.float64)
    return tuple(names.tolist()), observed, deaths @ share, variance


def _result(
    groups: tuple[object, ...],
    observed: FloatArray,
    expected: FloatArray,
    variance: FloatArray,
    chi_square: float,
    degrees: int,
) -> LogRank:
    from scipy.stats import chi2

    p = float(chi2.sf(chi_square, degrees))
    return LogRank(groups, observed, expected, variance, chi_square, degrees, p)

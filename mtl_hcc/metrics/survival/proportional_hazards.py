"""Do hazard ratios stay the same over time? The score test of proportional hazards."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray, NotComputableError
from mtl_hcc.metrics.survival.partial_likelihood import EventTimes, event_times
from mtl_hcc.metrics.survival.survival_curve import survival_curve


def proportional_hazards_p(
    covariates: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, beta: npt.ArrayLike
) -> tuple[FloatArray, float]:
    r"""Return the p of proportional hazards of each term, and of all terms together.

    Each term's coefficient may change as :math:`\beta + \theta g(t)`, with
    :math:`g(t) = 1 - S(t-)` and S Kaplan-Meier's curve of all patients; the score test of
    :math:`\theta = 0` [1]_ is exact in the sense of ``cox.zph`` of R's survival 3 (with
    ``terms = FALSE``). lifelines and R before 3.0 replace the information at each time by its
    mean, which gives other p-values.

    Args:
        covariates: (patient, term).
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        beta: (term,) Log hazard ratios at which the partial likelihood (Efron) is largest.

    Raises:
        NotComputableError: Fewer than two event times: a trend over time cannot be seen.

    References:
        .. [1] Grambsch and Therneau, Biometrika 1994;81:515-526.
    """
    at = event_times(covariates, time, event, beta)
    if len(at.time) < 2:
        raise NotComputableError("fewer than two event times")
    shape = _transformed_time(time, event, at)
    score = shape @ at.residual
    information = at.variance.sum(axis=0)
    cross = np.einsum("k,kij->ij", shape, at.variance)
    of_trend = np.einsum("k,kij->ij", shape**2, at.variance)
    # Information on theta when beta is estimated too.
    left = of_trend - cross @ np.linalg.solve(information, cross)
    each = score**2 / np.diag(left)
    together = float(score @ np.linalg.solve(left, score))
    from scipy.stats import chi2

    return np.asarray(chi2.sf(each, 1)), float(chi2.sf(together, len(score)))


def _transformed_time(time: npt.ArrayLike, event: npt.ArrayLike, at: EventTimes) -> FloatArray:
    """Return 1 - S(t-) at the event times, centered on their mean (for numerical stability)."""
    grid, survival = survival_curve(time, event)
    before = np.append(1.0, survival)[np.searchsorted(grid, at.time, side="left")]
    return np.asarray(before.mean() - before, dtype=np.float64)

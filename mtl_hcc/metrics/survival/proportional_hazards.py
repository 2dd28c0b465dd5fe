"""Do hazard ratios stay the same over time? Cox's partial likelihood and the score test."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import FloatArray, NotComputableError
from mtl_hcc.metrics.survival.product_limit import kaplan_meier

STEPS = 100
HALVINGS = 30
CLOSE = 1e-11
"""Relative change of the log likelihood that ends the search."""


@dataclass(frozen=True)
class EventTimes:
    """Log likelihood, score and information of a Cox model, split over the event times.

    Attributes:
        time: (event time,) Distinct days with an event, ascending.
        log_likelihood: Partial, of all event times.
        residual: (event time, term) Sum over the events of covariate minus its mean among those at
            risk, weighted by their hazards: Schoenfeld's residuals, added up where events tie.
        variance: (event time, term, term) Sum over the events of the weighted covariance among
            those at risk; its sum over the event times is the observed information.
    """

    time: FloatArray
    log_likelihood: float
    residual: FloatArray
    variance: FloatArray


def event_times(
    covariates: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, beta: npt.ArrayLike
) -> EventTimes:
    """Return likelihood, score and information at the coefficients ``beta``.

    With d events at one time, Efron's method [1]_ averages over their order: the l-th of them
    (l = 0, ..., d - 1) sees those at risk with the d events themselves at weight 1 - l / d.

    Args:
        covariates: (patient, term).
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        beta: (term,) Log hazard ratios.

    References:
        .. [1] Efron, JASA 1977;72:557-565.
    """
    x, days = np.asarray(covariates, dtype=np.float64), np.asarray(time, dtype=np.float64)
    order = np.argsort(days, kind="stable")
    x, days, events = x[order] - x.mean(axis=0), days[order], np.asarray(event, bool)[order]
    score = x @ np.asarray(beta, dtype=np.float64)
    score -= score.max()
    hazard = np.exp(score)
    grid, place, deaths = np.unique(days[events], return_inverse=True, return_counts=True)
    first = np.searchsorted(days, grid, side="left")  # those at risk: this row and all later ones
    moments = _moments(x, hazard)
    at_risk = [np.cumsum(part[::-1], axis=0)[::-1][first] for part in moments]
    dying = [_sums(part[events], place, len(grid)) for part in moments]
    residual = _sums(x[events], place, len(grid))
    log_likelihood = float(score[events].sum())
    variance = np.zeros((len(grid), x.shape[1], x.shape[1]))
    for earlier in range(int(deaths.max(initial=0))):
        tied = np.flatnonzero(deaths > earlier)
        away = earlier / deaths[tied]
        zeroth, first_moment, second = (
            risk[tied] - away.reshape(-1, *[1] * (risk.ndim - 1)) * gone[tied]
            for risk, gone in zip(at_risk, dying, strict=True)
        )
        log_likelihood -= float(np.log(zeroth).sum())
        mean = first_moment / zeroth[:, None]
        residual[tied] -= mean
        variance[tied] += second / zeroth[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return EventTimes(grid, log_likelihood, residual, variance)


def largest_likelihood(
    covariates: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients with the largest likelihood and their standard errors, (term,) each.

    Newton's method from zero, a step halved until the likelihood rises, as ``coxph`` of R does;
    lifelines 0.30 does not halve and gives up on rare categories that R fits.

    Args:
        covariates: (patient, term) Best standardized.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.

    Raises:
        NotComputableError: No maximum was found.
    """
    beta = np.zeros(np.asarray(covariates).shape[1])
    at = event_times(covariates, time, event, beta)
    for _ in range(STEPS):
        try:
            step = np.linalg.solve(at.variance.sum(axis=0), at.residual.sum(axis=0))
        except np.linalg.LinAlgError as error:
            raise NotComputableError("the likelihood of the Cox model has no maximum") from error
        last = at
        for _ in range(HALVINGS):
            with np.errstate(all="ignore"):  # too long a step: not a number, and halved
                at = event_times(covariates, time, event, beta + step)
            if at.log_likelihood >= last.log_likelihood - CLOSE * abs(last.log_likelihood):
                break
            step = step / 2
        beta = beta + step
        if abs(at.log_likelihood - last.log_likelihood) <= CLOSE * abs(at.log_likelihood):
            break
    return beta, _standard_errors(at)


def _standard_errors(at: EventTimes) -> FloatArray:
    """Return the roots of the diagonal of the inverse information; infinite where there is none."""
    information = at.variance.sum(axis=0)
    try:
        variance = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return np.full(len(information), np.inf)
    return np.sqrt(np.where(variance > 0, variance, np.inf))


def _moments(x: FloatArray, hazard: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the hazard of each patient, times the covariates, times their products."""
    first = hazard[:, None] * x
    return hazard, first, first[:, :, None] * x[:, None, :]


def _sums(rows: FloatArray, place: npt.NDArray[np.intp], number: int) -> FloatArray:
    total = np.zeros((number, *rows.shape[1:]))
    np.add.at(total, place, rows)
    return total


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
    curve = kaplan_meier(time, event)
    before = np.append(1.0, curve.survival)[np.searchsorted(curve.time, at.time, side="left")]
    return np.asarray(before.mean() - before, dtype=np.float64)

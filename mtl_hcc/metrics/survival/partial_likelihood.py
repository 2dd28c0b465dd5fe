"""The derivatives of Cox's partial likelihood, event time by event time (Efron's ties)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray


@dataclass(frozen=True)
class EventTimes:
    r"""Score and information of a Cox model, split over the distinct event times.

    Attributes:
        time: (event time,) Days, ascending.
        residual: (event time, term) Sum over the events of covariate minus its mean among those at
            risk, weighted by their hazards: Schoenfeld's residuals, added up where events tie.
        variance: (event time, term, term) Sum over the events of the weighted covariance among
            those at risk; its sum over the event times is the observed information.
    """

    time: FloatArray
    residual: FloatArray
    variance: FloatArray


def event_times(
    covariates: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, beta: npt.ArrayLike
) -> EventTimes:
    r"""Return the score and information of each event time at the coefficients ``beta``.

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
    hazard = np.exp(score - score.max())
    grid, place, deaths = np.unique(days[events], return_inverse=True, return_counts=True)
    first = np.searchsorted(days, grid, side="left")  # those at risk: this row and all later ones
    moments = _moments(x, hazard)
    at_risk = [np.cumsum(part[::-1], axis=0)[::-1][first] for part in moments]
    dying = [_sums(part[events], place, len(grid)) for part in moments]
    residual = _sums(x[events], place, len(grid))
    variance = np.zeros((len(grid), x.shape[1], x.shape[1]))
    for earlier in range(int(deaths.max(initial=0))):
        tied = np.flatnonzero(deaths > earlier)
        away = earlier / deaths[tied]
        zeroth, first_moment, second = (
            risk[tied] - away.reshape(-1, *[1] * (risk.ndim - 1)) * gone[tied]
            for risk, gone in zip(at_risk, dying, strict=True)
        )
        mean = first_moment / zeroth[:, None]
        residual[tied] -= mean
        variance[tied] += second / zeroth[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return EventTimes(grid, residual, variance)


def _moments(x: FloatArray, hazard: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the hazard of each patient, times the covariates, times their products."""
    first = hazard[:, None] * x
    return hazard, first, first[:, :, None] * x[:, None, :]


def _sums(rows: FloatArray, place: npt.NDArray[np.intp], number: int) -> FloatArray:
    total = np.zeros((number, *rows.shape[1:]))
    np.add.at(total, place, rows)
    return total

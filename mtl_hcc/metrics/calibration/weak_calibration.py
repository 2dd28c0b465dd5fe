"""Weak calibration: are predictions too high on average (intercept), or too extreme (slope)?"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Counts, Fit, FloatArray
from mtl_hcc.metrics.calibration.resampled_regression import Link, clipped, fit_regression, link
from mtl_hcc.metrics.survival.censoring import HorizonOutcome

SLOPE_SPREAD = 1e-6
"""Predictions that differ by less on the link scale are constant: they have no slope."""


def class_recalibration(label: npt.ArrayLike, probability: npt.ArrayLike) -> Fit:
    r"""Return slope and intercept of a two-class task, by logistic recalibration [1]_.

    The slope b is from :math:`\mathrm{logit}\,P(y = 1) = a + b\,\mathrm{logit}(p)`, the intercept
    from the same model with b = 1 (calibration in the large). 1 and 0 are perfect; b < 1 means
    predictions that are too extreme, an intercept above 0 too low ones.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Predicted, of the positive class.

    References:
        .. [1] Cox, Biometrika 1958;45:562-565; Van Calster et al., BMC Medicine 2019;17:230.
    """
    labels = np.asarray(label, dtype=np.float64)
    return _recalibration(probability, labels, "logit", lambda counts: counts.astype(np.float64))


def survival_recalibration(
    time: npt.ArrayLike, event: npt.ArrayLike, probability: npt.ArrayLike, horizon_days: float
) -> Fit:
    r"""Return slope and intercept at a horizon, by a regression of the event by then [1]_.

    :math:`\log(-\log(1 - P(T \le t))) = a + b \log(-\log(1 - p))`, fitted by maximum likelihood
    with inverse probability of censoring weights, which come from these patients and are computed
    anew in each resample. (Jackknife pseudo-values as outcomes agree where a quarter of the
    patients is still followed; later, values above 1 often leave their equations no solution.)

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        probability: (patient,) Predicted, of the event by the horizon.
        horizon_days: Days.

    References:
        .. [1] van Geloven et al., BMJ 2022;377:e069249 (link and definitions); Pate et al.,
            Statistics in Medicine 2024;43:2830-2852 (weights).
    """
    outcome = HorizonOutcome(time, event, horizon_days)
    return _recalibration(probability, outcome.label, "cloglog", outcome)


def _recalibration(
    probability: npt.ArrayLike,
    outcome: FloatArray,
    name: Link,
    weights_of: Callable[[Counts], FloatArray],
) -> Fit:
    inside, _ = clipped(probability)
    score = link(inside, name)
    constant = np.ptp(score) < SLOPE_SPREAD
    center = float(score.mean())
    ones = np.ones((len(score), 1))
    with_slope = np.column_stack([ones[:, 0], score - center])

    def coefficients(
        counts: Counts, start: tuple[FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        weights = weights_of(counts)
        first, second = start
        intercept = fit_regression(ones, outcome, weights, link=name, offset=score, start=first)
        if constant:
            return intercept, np.full((len(counts), 2), np.nan)
        return intercept, fit_regression(with_slope, outcome, weights, link=name, start=second)

    once = np.ones((1, len(score)), dtype=np.float32)
    share, _ = clipped(np.average(outcome, weights=weights_of(once)[0]))
    nothing = np.zeros(1), np.array([float(link(share, name)), 0.0])  # the mean, and no slope
    sample = coefficients(once, nothing)
    solution = np.nan_to_num(sample[0][0]), np.nan_to_num(sample[1][0])

    def fit(counts: Counts) -> dict[str, FloatArray]:
        intercept, slope = coefficients(counts, nothing if len(counts) == 1 else solution)
        return {"calibration_slope": slope[:, 1], "calibration_intercept": intercept[:, 0]}

    return fit

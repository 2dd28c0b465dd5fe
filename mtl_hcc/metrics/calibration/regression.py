"""Regressions of all resamples at once: a yes or no on a few columns, two links."""

import numpy as np

from mtl_hcc.metrics.calibration.newton import Resamples, newton, solve
from mtl_hcc.metrics.calibration.probability_scale import Link
from mtl_hcc.metrics.statistic import BoolArray, FloatArray


def fit_regression(
    columns: FloatArray,
    outcome: FloatArray,
    weights: FloatArray,
    *,
    link: Link,
    offset: FloatArray | None = None,
    start: FloatArray | None = None,
) -> FloatArray:
    r"""Maximize the weighted binomial likelihood of every resample by Newton's method.

    .. math:: \sum_i w_i (y_i \log \mu_i + (1 - y_i) \log(1 - \mu_i))

    It is concave for both links, so that there is no solution only where the columns are collinear
    or separate the outcomes.

    Args:
        columns: (row, column) with the constant where one is wanted.
        outcome: (row,) 0 or 1.
        weights: (resample, row) How much each row counts.
        link: Of the outcome's mean :math:`\mu`.
        offset: (row,) Added to the linear predictor.
        start: (column,) Where to start, e.g. the fit of the sample itself.

    Returns:
        (resample, column) coefficients, NaN where there is no finite solution.
    """
    number = columns.shape[1]
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)

    def newton_step(beta: FloatArray, going: Resamples) -> tuple[FloatArray, BoolArray]:
        score = beta @ columns.T
        if offset is not None:
            score += offset
        slope, weight = _working(score, outcome, weights[going], link)
        return solve((weight @ products).reshape(-1, number, number), slope @ columns)

    return newton(newton_step, np.zeros(number) if start is None else start, len(weights))


def _working(
    score: FloatArray, outcome: FloatArray, weight: FloatArray, link: Link
) -> tuple[FloatArray, FloatArray]:
    """Return what multiplies the columns in the score, and in the observed information."""
    if link == "logit":
        mean = 1 / (1 + np.exp(-np.clip(score, -35, 35)))
        residual = outcome - mean
        residual *= weight
        mean -= mean**2
        mean *= weight
        return residual, mean
    hazard = np.exp(np.clip(score, -35, 6))
    mean = -np.expm1(-hazard)
    ratio = hazard / mean
    residual = outcome - mean
    bend = ratio * (1 - mean)  # -> information = r h (1 - mu) - r (1 - r (1 - mu)) (y - mu)
    information = hazard * bend - ratio * (1 - bend) * residual
    information *= weight
    residual *= ratio
    residual *= weight
    return residual, information

"""Regressions of all resamples at once: logistic, and complementary log-log on pseudo-values."""

import numpy as np

from mtl_hcc.metrics.calibration.probability_scale import Link
from mtl_hcc.metrics.statistic import BoolArray, Counts, FloatArray

STEPS = 30
LARGEST_STEP = 3.0
LARGEST_COEFFICIENT = 60.0
"""Beyond it the fit runs away (separated classes): no value."""
TOLERANCE = 1e-9
RESAMPLE_TOLERANCE = 1e-3
"""Of the last step: Newton's method squares the error, so that about 1e-6 is left."""


def fit_regression(
    columns: FloatArray,
    outcome: FloatArray,
    counts: Counts,
    *,
    link: Link,
    offset: FloatArray | None = None,
    start: FloatArray | None = None,
) -> FloatArray:
    r"""Fit one regression per resample by Newton's method.

    Both links solve the generalized estimating equations with binomial variance and independence,

    .. math:: \sum_i w_i x_i \frac{\mu_i'}{\mu_i (1 - \mu_i)} (y_i - \mu_i) = 0

    which for labels is maximum likelihood, and for pseudo-values what R's ``geese(...,
    mean.link = "cloglog", variance = "binomial")`` solves. (Constant variance, its default, gives
    wider intervals and has a solution less often.)

    Args:
        columns: (row, column) with the constant where one is wanted.
        outcome: (row,) or (resample, row).
        counts: (resample, row) How often each row counts.
        link: Of the outcome's mean.
        offset: (row,) Added to the linear predictor.
        start: (column,) Where to start, e.g. the fit of the sample itself.

    Returns:
        (resample, column) coefficients, NaN where there is no finite solution.
    """
    number = columns.shape[1]
    beta = np.zeros((len(counts), number)) if start is None else np.tile(start, (len(counts), 1))
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
    tolerance = TOLERANCE if len(counts) == 1 else RESAMPLE_TOLERANCE
    going = np.arange(len(counts))
    done = np.zeros(len(counts), dtype=bool)
    outcomes = np.broadcast_to(outcome, counts.shape)
    weights = counts.astype(np.float64)
    for _ in range(STEPS):
        score = beta[going] @ columns.T
        if offset is not None:
            score += offset
        slope, weight = _working(score, outcomes[going], weights[going], link)
        information = (weight @ products).reshape(-1, number, number)
        step, solved = solve(information, slope @ columns)
        step = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        beta[going] += step
        small = np.abs(step).max(axis=1) < tolerance
        done[going] = small & solved
        stays = ~small & solved & (np.abs(beta[going]).max(axis=1) < LARGEST_COEFFICIENT)
        going = going[stays]
        if len(going) == 0:
            break
    beta[~done] = np.nan
    return beta


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


def solve(information: FloatArray, score: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Solve one small symmetric system per resample, and say which have a solution.

    Args:
        information: (resample, column, column)
        score: (resample, column)

    Returns:
        Steps (resample, column), zero where the columns are collinear in the resample, and
        (resample,) whether they are not.
    """
    diagonal = np.sqrt(np.maximum(np.einsum("rii->ri", information), 0))
    positive = (diagonal > 1e-100).all(axis=1) & np.isfinite(information).all(axis=(1, 2))
    scale = np.where(positive[:, None], diagonal, 1.0)
    scaled = information / (scale[:, :, None] * scale[:, None, :])
    identity = np.eye(information.shape[1])
    scaled[~positive] = identity
    solved = positive & (np.linalg.det(scaled) > 1e-10)
    scaled[~solved] = identity
    step = np.linalg.solve(scaled, (score / scale)[:, :, None])[:, :, 0] / scale
    return np.where(solved[:, None], step, 0.0), solved

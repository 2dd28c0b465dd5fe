"""Regressions of a yes or no on a few columns, of all resamples at once by Newton's method."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import BoolArray, FloatArray

STEPS = 30
RESAMPLE_STEPS = 10
"""Newton's method starts at the sample's solution and needs three to five; more mean none."""
LARGEST_STEP = 3.0
LARGEST_COEFFICIENT = 60.0
"""Beyond it the fit runs away (separated classes): no value."""
TOLERANCE = 1e-9
RESAMPLE_TOLERANCE = 1e-2
"""Of the last step: Newton's method squares the error, so that about 1e-4 is left."""
SINGULAR = 1e-10
"""Determinant of the information (scaled to a diagonal of ones) below which it has no inverse."""
Resamples = slice | npt.NDArray[np.intp]
"""Which resamples: all of them, or their numbers."""
NewtonStep = Callable[[FloatArray, Resamples], tuple[FloatArray, BoolArray]]
Link = Literal["logit", "cloglog"]
"""``logit`` for classes; ``cloglog``, log(-log(1 - p)), for event probabilities: there a higher log
hazard is a shift."""
CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, where both links are infinite."""


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


def newton(step_of: NewtonStep, start: FloatArray, resamples: int) -> FloatArray:
    """Solve one system per resample by Newton's method; those that are done drop out.

    Args:
        step_of: Maps the coefficients (resample, column) of some resamples, and which they are, to
            their steps, and to whether these exist.
        start: (column,) Where all begin.
        resamples: Their number; a single one is the sample itself and is solved closely.

    Returns:
        (resample, column), NaN where there is no finite solution.
    """
    single = resamples == 1
    steps, tolerance = (STEPS, TOLERANCE) if single else (RESAMPLE_STEPS, RESAMPLE_TOLERANCE)
    beta = np.tile(start, (resamples, 1))
    done = np.zeros(resamples, dtype=bool)
    going: Resamples = slice(None)
    numbers = np.arange(resamples)
    for _ in range(steps):
        step, solved = step_of(beta[going], going)
        beta[going] += np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        small = np.abs(step).max(axis=1) < tolerance
        done[going] = small & solved
        stays = ~small & solved & (np.abs(beta[going]).max(axis=1) < LARGEST_COEFFICIENT)
        left = numbers[going][stays]
        if len(left) == 0:
            break
        going = left if len(left) < resamples else slice(None)
    beta[~done] = np.nan
    return beta


def solve(information: FloatArray, score: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Solve one small symmetric system per resample, and say which have a solution.

    Args:
        information: (resample, column, column)
        score: (resample, column)

    Returns:
        Steps (resample, column), zero where the columns are collinear in the resample, and
        (resample,) whether they are not.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scale = np.sqrt(np.einsum("rii->ri", information))  # NaN where negative
        scaled = information / (scale[:, :, None] * scale[:, None, :])
        target = score / scale
        determinant, scaled_step = _SOLVERS.get(information.shape[1], _solve_any)(scaled, target)
        step: FloatArray = scaled_step / scale
    solved = np.isfinite(step).all(axis=1) & (determinant > SINGULAR)
    return np.where(solved[:, None], step, 0.0), solved


def _solve_one(scaled: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    return scaled[:, 0, 0], target


def _solve_two(scaled: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cramer's rule; the diagonal is 1."""
    slant = scaled[:, 0, 1]
    determinant: FloatArray = 1 - slant**2
    step = (target - slant[:, None] * target[:, ::-1]) / determinant[:, None]
    return determinant, step


def _solve_any(scaled: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    finite: FloatArray = np.where(np.isfinite(scaled), scaled, 0.0).astype(np.float64)
    determinant: FloatArray = np.linalg.det(finite)
    finite[determinant <= SINGULAR] = np.eye(finite.shape[1])
    step: FloatArray = np.linalg.solve(finite, target[:, :, None])[:, :, 0].astype(np.float64)
    return determinant, step


_SOLVERS = {1: _solve_one, 2: _solve_two}


def clipped(probability: npt.ArrayLike) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the probabilities away from 0 and 1, and what to say when some were moved."""
    values = np.asarray(probability, dtype=np.float64)
    inside = np.clip(values, CLIP, 1 - CLIP)
    moved = int(np.sum(values != inside))
    said = f"{moved} probabilities nearer than {CLIP:g} to 0 or 1 clipped"
    return inside, (said,) if moved else ()


def link(probability: FloatArray, name: Link) -> FloatArray:
    """Map probabilities to the whole line."""
    if name == "logit":
        logit: FloatArray = np.log(probability) - np.log1p(-probability)
        return logit
    cloglog: FloatArray = np.log(-np.log1p(-probability))
    return cloglog


def inverse_link(score: FloatArray, name: Link) -> FloatArray:
    """Map the whole line to probabilities."""
    if name == "logit":
        probability: FloatArray = 1 / (1 + np.exp(-np.clip(score, -35, 35)))
        return probability
    event_probability: FloatArray = -np.expm1(-np.exp(np.clip(score, -35, 6)))
    return event_probability

"""Newton's method for a few coefficients of many resamples at once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import BoolArray, FloatArray

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

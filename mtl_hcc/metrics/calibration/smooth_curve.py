"""The smoothed calibration curve: how often is the event seen where p is predicted?"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.calibration.cox_resamples import CoxResamples
from mtl_hcc.metrics.calibration.probability_scale import SplineColumns, clipped, inverse_link
from mtl_hcc.metrics.calibration.regression import fit_regression
from mtl_hcc.metrics.statistic import Counts, FloatArray


class SmoothCurve(Protocol):
    """A smoothed calibration curve that is fitted to all resamples at once."""

    def fit(self, counts: Counts) -> FloatArray:
        """Return (resample, coefficient), NaN where the fit has no solution."""

    def observed(self, coefficients: FloatArray, probability: FloatArray) -> FloatArray:
        """Return (resample, place): the curve at the predicted probabilities (place,)."""


class SmoothClassCurve:
    """A logistic regression on a restricted cubic spline of logit(p), three knots [1]_.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Predicted, of the positive class.

    References:
        .. [1] Harrell, Regression Modeling Strategies, 2nd ed. 2015, section 10.11; Austin,
            Steyerberg, Statistics in Medicine 2019;38:4051-4065 (ICI, there with loess).
    """

    def __init__(self, label: npt.ArrayLike, probability: npt.ArrayLike) -> None:
        self._label = np.asarray(label, dtype=np.float64)
        inside, _ = clipped(probability)
        self._spline = SplineColumns.of_sample(inside, "logit")
        self._columns = self._design(inside)
        ones = np.ones((1, len(self._label)))
        self._start = np.nan_to_num(
            fit_regression(self._columns, self._label, ones, link="logit")[0]
        )

    def fit(self, counts: Counts) -> FloatArray:
        """Return (resample, coefficient): constant, then the spline's columns."""
        return fit_regression(
            self._columns,
            self._label,
            counts.astype(np.float64),
            link="logit",
            start=self._start,
        )

    def observed(self, coefficients: FloatArray, probability: FloatArray) -> FloatArray:
        """Return (resample, place)."""
        return inverse_link(coefficients @ self._design(probability).T, "logit")

    def _design(self, probability: FloatArray) -> FloatArray:
        inside, _ = clipped(probability)
        return np.column_stack([np.ones(len(inside)), self._spline(inside)])


class SmoothSurvivalCurve:
    r"""A Cox regression on a restricted cubic spline of :math:`\log(-\log(1-p))`, 3 knots [1]_.

    It is fitted to the whole follow-up, ties by Breslow; the event probability at the horizon is
    read with Breslow's baseline hazard.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        probability: (patient,) Predicted, of the event by the horizon.
        horizon_days: Days.
        known: Regressions of the same patients that are there already: in a model of proportional
            hazards the columns are the same at every horizon, and so is the regression.

    References:
        .. [1] Austin, Harrell, van Klaveren, Statistics in Medicine 2020;39:2714-2742.
    """

    def __init__(
        self,
        time: npt.ArrayLike,
        event: npt.ArrayLike,
        probability: npt.ArrayLike,
        horizon_days: float,
        known: Sequence[CoxResamples] = (),
    ) -> None:
        inside, _ = clipped(probability)
        self._spline = SplineColumns.of_sample(inside, "cloglog")
        columns = self._spline(inside)
        self._horizon_days = horizon_days
        self.cox = next((cox for cox in known if cox.has(columns)), None) or CoxResamples(
            columns, time, event
        )

    def fit(self, counts: Counts) -> FloatArray:
        """Return (resample, coefficient): log cumulative baseline hazard, log hazard ratios."""
        beta = self.cox.coefficients(counts)
        hazard = self.cox.cumulative_hazard(beta, counts, self._horizon_days)
        with np.errstate(divide="ignore"):
            return np.column_stack([np.log(hazard), beta])

    def observed(self, coefficients: FloatArray, probability: FloatArray) -> FloatArray:
        """Return (resample, place)."""
        inside, _ = clipped(probability)
        score = coefficients[:, :1] + coefficients[:, 1:] @ self._spline(inside).T
        return inverse_link(score, "cloglog")


def smooth_survival_curves(
    time: npt.ArrayLike, event: npt.ArrayLike, probability: Mapping[int, FloatArray]
) -> dict[int, SmoothSurvivalCurve]:
    """Return the curves at several horizons, sharing regressions where they are the same.

    Args:
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        probability: Horizon in days to the predicted event probabilities (patient,).
    """
    curves: dict[int, SmoothSurvivalCurve] = {}
    for days, predicted in probability.items():
        known = [curve.cox for curve in curves.values()]
        curves[days] = SmoothSurvivalCurve(time, event, predicted, days, known)
    return curves

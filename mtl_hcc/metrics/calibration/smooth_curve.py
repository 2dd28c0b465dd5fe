"""The smoothed calibration curve: how often is the event seen where p is predicted?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Counts, FloatArray
from mtl_hcc.metrics.calibration.resampled_cox import CoxResamples
from mtl_hcc.metrics.calibration.resampled_regression import (
    Link,
    clipped,
    fit_regression,
    inverse_link,
    link,
)

KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the spline's knots (Harrell, Regression Modeling Strategies, 2nd ed., table 2.3)."""
FEWEST_VALUES = 4
"""Distinct probabilities that a spline needs; fewer (a model of two groups) leave a line."""
DISTANCES = ("ici", "e50", "e90")


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


@dataclass(frozen=True)
class SplineColumns:
    r"""A restricted cubic spline with three knots on the link scale, linear beyond the outer ones.

    With z the standardized link of the probability, the columns are z and

    .. math:: \frac{(z-k_1)_+^3 - (z-k_2)_+^3 \frac{k_3-k_1}{k_3-k_2}
              + (z-k_3)_+^3 \frac{k_2-k_1}{k_3-k_2}}{(k_3-k_1)^2}

    as in R's ``rcs(x, 3)``. Knots that coincide (few distinct probabilities) leave only z.

    Attributes:
        name: The link.
        center: Mean of the link of the sample's probabilities.
        spread: Its standard deviation.
        knots: Quantiles 0.1, 0.5 and 0.9 of z.
    """

    name: Link
    center: float
    spread: float
    knots: tuple[float, float, float]

    @classmethod
    def of_sample(cls, probability: FloatArray, name: Link) -> "SplineColumns":
        """Place the knots on the sample's probabilities; resamples keep them."""
        score = link(probability, name)
        spread = float(score.std())
        spread = spread if spread > 1e-9 else 1.0
        z = (score - score.mean()) / spread
        few = len(np.unique(score)) < FEWEST_VALUES
        first, middle, last = np.zeros(3) if few else np.quantile(z, KNOTS)
        return cls(name, float(score.mean()), spread, (float(first), float(middle), float(last)))

    def __call__(self, probability: FloatArray) -> FloatArray:
        """Return (row, 1 or 2) columns, without a constant."""
        z = (link(probability, self.name) - self.center) / self.spread
        first, middle, last = self.knots
        if min(middle - first, last - middle) < 1e-6:
            return z[:, None]
        cubes = [np.maximum(z - knot, 0) ** 3 for knot in self.knots]
        ratio = 1 / (last - middle)
        bend = cubes[0] - cubes[1] * (last - first) * ratio + cubes[2] * (middle - first) * ratio
        return np.stack([z, bend / (last - first) ** 2], axis=1)


def curve_distances(
    observed: FloatArray, predicted: FloatArray, counts: Counts
) -> dict[str, FloatArray]:
    r"""Return the mean, median and 90th percentile of :math:`|\hat c(p_i) - p_i|` [1]_.

    Args:
        observed: (resample, patient) The smoothed curve at each prediction.
        predicted: (patient,) Predicted probabilities.
        counts: (resample, patient)

    Returns:
        ``ici``, ``e50``, ``e90``, each (resample,), NaN where the curve has no value. Quantiles
        interpolate as NumPy and R do by default (type 7).

    References:
        .. [1] Austin, Steyerberg, Statistics in Medicine 2019;38:4051-4065.
    """
    distance = np.abs(observed - predicted)
    weights = counts.astype(np.float64)
    number = weights.sum(axis=1)
    ici = (distance * weights).sum(axis=1) / number
    order = np.argsort(distance, axis=1)
    ordered = np.take_along_axis(distance, order, axis=1)
    drawn = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    e50, e90 = (_quantile(ordered, drawn, number, share) for share in (0.5, 0.9))
    undefined = np.isnan(distance).any(axis=1)
    return {
        name: np.where(undefined, np.nan, values)
        for name, values in zip(DISTANCES, (ici, e50, e90), strict=True)
    }


def _quantile(
    ordered: FloatArray, drawn: FloatArray, number: FloatArray, share: float
) -> FloatArray:
    """Quantile of repeated values: ``drawn`` (resample, patient) counts them up in order."""
    place = (number - 1) * share
    low = np.floor(place)
    last = ordered.shape[1] - 1
    at = [np.minimum((drawn < rank[:, None]).sum(axis=1), last) for rank in (low + 1, low + 2)]
    below, above = (np.take_along_axis(ordered, k[:, None], axis=1)[:, 0] for k in at)
    above = np.where(low + 2 > number, below, above)
    quantile: FloatArray = below + (place - low) * (above - below)
    return quantile

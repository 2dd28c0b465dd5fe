"""What a calibration plot shows of one task and split: curve with band, groups, numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts
from mtl_hcc.metrics.calibration.calibration_groups import calibration_groups
from mtl_hcc.metrics.calibration.class_calibration import binary_calibration_metrics
from mtl_hcc.metrics.calibration.shared_fit import resample_blocks
from mtl_hcc.metrics.calibration.smooth_curve import (
    SmoothClassCurve,
    SmoothCurve,
    SmoothSurvivalCurve,
)
from mtl_hcc.metrics.calibration.survival_calibration import (
    event_probability,
    survival_calibration_metrics,
)
from mtl_hcc.metrics.statistic import Counts, FloatArray, point_value
from mtl_hcc.metrics.survival.horizons import predicted_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows

PLACES = 60
"""At which the curve is drawn."""


@dataclass(frozen=True)
class CalibrationNumber:
    """One metric with its interval, or the reason for its absence."""

    name: str
    value: float
    ci_low: float
    ci_high: float
    why_not: str


@dataclass(frozen=True)
class CalibrationCurve:
    """The calibration of one task on one set of rows.

    Attributes:
        predicted: (row,) Predicted probabilities.
        groups: As from :func:`calibration_groups`.
        at: (place,) Predicted probabilities at which the curve is given; empty without a curve.
        observed: (place,) The smoothed curve.
        ci_low: (place,) Pointwise percentile interval.
        ci_high: (place,)
        numbers: Slope, intercept and ICI.
    """

    predicted: FloatArray
    groups: pd.DataFrame
    at: FloatArray
    observed: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    numbers: dict[str, CalibrationNumber]


def calibration_curve(
    sample: TaskRows, *, horizon_days: int | None = None, bootstraps: int = 1000, seed: int = 0
) -> CalibrationCurve:
    """Compute everything that is drawn of one task and split.

    Args:
        sample: Rows of a two-class or a survival task; not empty.
        horizon_days: Of a survival task, among its columns ``survival_<days>``.
        bootstraps: Resamples of the patients, as in ``metrics.csv``.
        seed: Of the resamples.
    """
    rows = sample.rows
    counts = resample_counts(rows["patient_id"], bootstraps=bootstraps, seed=seed)
    if horizon_days is None:
        predicted = rows["probability"].to_numpy(dtype=np.float64)
        metrics = binary_calibration_metrics(sample)
    else:
        predicted = event_probability(rows, horizon_days)
        metrics = survival_calibration_metrics(_at_one_horizon(sample, horizon_days))
    shown = {
        metric.name: _number(metric, counts)
        for metric in metrics
        if metric.horizon_days == horizon_days
        and metric.name in ("calibration_slope", "calibration_intercept", "ici")
    }
    groups = calibration_groups(rows, horizon_days=horizon_days)
    empty = np.empty(0)
    if np.isnan(shown["ici"].value):
        return CalibrationCurve(predicted, groups, empty, empty, empty, empty, shown)
    curve: SmoothCurve
    if horizon_days is None:
        curve = SmoothClassCurve(rows["label"], predicted)
    else:
        curve = SmoothSurvivalCurve(rows["time_days"], rows["event"], predicted, horizon_days)
    at = np.linspace(predicted.min(), predicted.max(), PLACES)
    observed = curve.observed(curve.fit(np.ones((1, len(rows)), dtype=np.float32)), at)[0]
    low, high = _band(lambda block: curve.observed(curve.fit(block), at), counts)
    return CalibrationCurve(predicted, groups, at, observed, low, high, shown)


def _at_one_horizon(sample: TaskRows, days: int) -> TaskRows:
    """Leave out the columns of the other horizons."""
    others = [f"survival_{other}" for other in predicted_horizons(sample.rows) if other != days]
    return replace(sample, rows=sample.rows.drop(columns=others))


def _number(metric: TaskMetric, counts: Counts) -> CalibrationNumber:
    value = point_value(metric.statistic, counts.shape[1])
    if np.isnan(value):
        return CalibrationNumber(metric.name, value, value, value, metric.why_not)
    low, high = percentile_interval(metric.statistic(counts)) if len(counts) else (np.nan, np.nan)
    return CalibrationNumber(metric.name, value, low, high, "")


def _band(curve: Callable[[Counts], FloatArray], counts: Counts) -> tuple[FloatArray, FloatArray]:
    values = np.concatenate([curve(block) for block in resample_blocks(counts)])
    ends = np.array([percentile_interval(column) for column in values.T])
    return ends[:, 0], ends[:, 1]

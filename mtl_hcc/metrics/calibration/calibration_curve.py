"""What a calibration plot shows of one task and split: curve with band, groups, numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import (
    Counts,
    FloatArray,
    percentile_interval,
    point_value,
    resample_blocks,
    resample_counts,
)
from mtl_hcc.metrics.calibration.class_calibration import binary_calibration_metrics
from mtl_hcc.metrics.calibration.smooth_curve import (
    SmoothClassCurve,
    SmoothCurve,
    SmoothSurvivalCurve,
)
from mtl_hcc.metrics.calibration.survival_calibration import (
    event_probability,
    survival_calibration_metrics,
)
from mtl_hcc.metrics.classification.confusion_counts import wilson_interval
from mtl_hcc.metrics.survival.horizons import predicted_horizons
from mtl_hcc.metrics.survival.product_limit import kaplan_meier
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows

PLACES = 60
"""At which the curve is drawn."""
GROUPS = 5
SMALLEST_GROUP = 10
"""Patients; with fewer than five times as many there are fewer groups."""
GROUP_COLUMNS = [
    "group",
    "n",
    "events",
    "predicted_low",
    "predicted_high",
    "predicted",
    "observed",
    "ci_low",
    "ci_high",
]


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
    if len(counts) == 0:
        return np.full(PLACES, np.nan), np.full(PLACES, np.nan)
    values = np.concatenate([curve(block) for block in resample_blocks(counts)])
    ends = np.array([percentile_interval(column) for column in values.T])
    return ends[:, 0], ends[:, 1]


def calibration_groups(
    rows: pd.DataFrame, *, horizon_days: int | None = None, groups: int = GROUPS
) -> pd.DataFrame:
    """Return mean predicted and observed event probability by quantiles of the prediction.

    Observed is the share of positives with Wilson's interval for a two-class task, and one minus
    Kaplan-Meier at the horizon, with Greenwood's interval on the log-log scale, for a survival
    task. Equal predictions stay in one group. Where patients repeat (folds) there are no intervals,
    which assume that patients are independent.

    Args:
        rows: With a known outcome: ``label, probability`` or ``time_days, event,
            survival_<days>``.
        horizon_days: Of a survival task; ``None`` = two classes.
        groups: At most so many, of at least 10 rows each.

    Returns:
        A row per group, lowest predictions first. ``events`` counts those by the horizon.
    """
    if rows.empty:
        return pd.DataFrame(columns=GROUP_COLUMNS)
    if horizon_days is None:
        predicted = rows["probability"].to_numpy(dtype=np.float64)
    else:
        predicted = event_probability(rows, horizon_days)
    place = quantile_groups(predicted, min(groups, max(1, len(rows) // SMALLEST_GROUP)))
    records = []
    for number, group in enumerate(np.unique(place), start=1):
        inside = rows[place == group]
        inside_predicted = predicted[place == group]
        record = {
            "group": number,
            "n": len(inside),
            "predicted_low": inside_predicted.min(),
            "predicted_high": inside_predicted.max(),
            "predicted": inside_predicted.mean(),
        }
        records.append(record | _observed(inside, horizon_days))
    table = pd.DataFrame(records, columns=GROUP_COLUMNS)
    if rows["patient_id"].duplicated().any():
        table[["ci_low", "ci_high"]] = np.nan
    return table


def quantile_groups(predicted: FloatArray, groups: int) -> npt.NDArray[np.intp]:
    """Return the quantile group of each prediction, 0 the lowest; ties make fewer groups."""
    edges = np.unique(np.quantile(predicted, np.arange(1, groups) / groups))
    return np.searchsorted(edges, predicted, side="left")


def _observed(rows: pd.DataFrame, horizon_days: int | None) -> dict[str, float]:
    if horizon_days is None:
        events = float(rows["label"].sum())
        low, high = wilson_interval(events, len(rows))
        found = {"events": events, "observed": events / len(rows)}
        return {**found, "ci_low": low, "ci_high": high}
    survival, low, high = kaplan_meier(rows["time_days"], rows["event"]).at(horizon_days)
    events = float(((rows["event"] == 1) & (rows["time_days"] <= horizon_days)).sum())
    return {"events": events, "observed": 1 - survival, "ci_low": 1 - high, "ci_high": 1 - low}

"""Which metrics of calibration a survival task gets, at each horizon that it predicts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.calibration.cox_resamples import CoxResamples
from mtl_hcc.metrics.calibration.curve_distance import DISTANCES, curve_distances
from mtl_hcc.metrics.calibration.d_calibration import (
    BINS,
    d_calibration_statistic,
    survival_at_own_time,
)
from mtl_hcc.metrics.calibration.probability_scale import clipped
from mtl_hcc.metrics.calibration.shared_fit import Fit, SharedFit
from mtl_hcc.metrics.calibration.smooth_curve import SmoothSurvivalCurve
from mtl_hcc.metrics.calibration.weak_calibration import survival_recalibration
from mtl_hcc.metrics.statistic import Counts, FloatArray
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

WEAK = ("calibration_slope", "calibration_intercept")
SURVIVAL_CALIBRATION = (*WEAK, *DISTANCES, "d_calibration_p")
"""Names in the order of ``metrics.csv``."""
ENOUGH = 10
"""Events, and patients without one, that a smoothed curve needs at least."""
NO_SLOPE = "the predictions are constant, or the regression has no finite solution"
NO_CURVE = "the smoothed curve has no finite solution, or the predictions are constant"
NO_COLUMNS = "no column survival_<days>"
SMOOTHED = "curve by Cox regression on a spline of log(-log(survival))"
PSEUDO = "regression of pseudo-values, complementary log-log link"


def survival_calibration_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of calibration of one survival task.

    Without columns ``survival_<days>`` there is a slope only: the coefficient of the risk in a Cox
    regression. Probabilities of several folds are pooled: they are on one scale.
    """
    horizons = predicted_horizons(sample.rows)
    if not horizons:
        absent = [TaskMetric(name, no_value, NO_COLUMNS) for name in SURVIVAL_CALIBRATION[1:]]
        return [_slope_of_risk(sample.rows), *absent]
    reasons = task_horizons(sample)
    by_horizon = [
        metric
        for days in horizons
        for metric in _at_horizon(sample, days, reasons[days] or why_not_horizon(sample.rows, days))
    ]
    names = SURVIVAL_CALIBRATION
    by_horizon.sort(key=lambda metric: names.index(metric.name))  # stable: horizons ascend
    return [*by_horizon, _d_calibration(sample.rows, horizons)]


def event_probability(rows: pd.DataFrame, days: int) -> FloatArray:
    """Return the predicted probability of the event by a horizon: (row,)."""
    probability: FloatArray = 1 - rows[f"survival_{days}"].to_numpy(dtype=np.float64)
    return probability


def why_not_horizon(rows: pd.DataFrame, days: int) -> str:
    """Return why calibration has no value at a horizon inside the follow-up; empty = it has."""
    empty = int(rows[f"survival_{days}"].isna().sum())
    if empty:
        return f"survival_{days} is empty in {empty} of {len(rows)} rows"
    if not ((rows["event"] == 1) & (rows["time_days"] <= days)).any():
        return "no event before the horizon"
    return ""


def _at_horizon(sample: TaskRows, days: int, reason: str) -> list[TaskMetric]:
    """Return slope, intercept and the distances of the smoothed curve at one horizon."""
    rows = sample.rows
    if reason:
        return [
            TaskMetric(name, no_value, reason, horizon_days=days) for name in (*WEAK, *DISTANCES)
        ]
    time, event = rows["time_days"], rows["event"]
    predicted = event_probability(rows, days)
    inside, moved = clipped(predicted)
    weak = SharedFit(survival_recalibration(time, event, inside, days))
    fixed = {"calibration_intercept": ("slope fixed at 1",)}
    metrics = [
        TaskMetric(
            name,
            weak.statistic(name),
            NO_SLOPE,
            (PSEUDO, *fixed.get(name, ()), *moved),
            horizon_days=days,
        )
        for name in WEAK
    ]
    few = _too_few(rows, days)
    if few:
        return metrics + [TaskMetric(name, no_value, few, horizon_days=days) for name in DISTANCES]
    curve = SharedFit(smoothed_distances(rows, inside, days))
    return metrics + [
        TaskMetric(name, curve.statistic(name), NO_CURVE, (SMOOTHED, *moved), horizon_days=days)
        for name in DISTANCES
    ]


def smoothed_distances(rows: pd.DataFrame, predicted: FloatArray, days: int) -> Fit:
    """Return ICI, E50 and E90 at a horizon as a function of counts; constant = undefined."""
    curve = SmoothSurvivalCurve(rows["time_days"], rows["event"], predicted, days)

    def distances(counts: Counts) -> dict[str, FloatArray]:
        observed = curve.observed(curve.fit(counts), predicted)
        return curve_distances(observed, predicted, counts)

    return distances


def _too_few(rows: pd.DataFrame, days: int) -> str:
    """Return why there is no smoothed curve, empty if there is one."""
    events = int((rows["event"] == 1).sum())
    later = int((rows["time_days"] > days).sum())
    if min(events, later) >= ENOUGH:
        return ""
    return (
        f"{events} events and {later} patients beyond the horizon: "
        f"a smoothed curve needs {ENOUGH} of both"
    )


def _slope_of_risk(rows: pd.DataFrame) -> TaskMetric:
    """Return the slope of the log hazard, for tables without survival probabilities."""
    risk = rows["risk"].to_numpy(dtype=np.float64)
    columns = (risk - risk.mean())[:, None]
    method = "Cox regression on the risk (log hazard), ties by Breslow"
    if rows["fold"].nunique() > 1:
        return TaskMetric(
            WEAK[0], no_value, "risks of several folds are on several scales; " + NO_COLUMNS
        )
    if np.ptp(risk) == 0 or not (rows["event"] == 1).any():
        reason = "the risks are constant" if np.ptp(risk) == 0 else "no event"
        return TaskMetric(WEAK[0], no_value, reason)
    cox = CoxResamples(columns, rows["time_days"], rows["event"])
    fit = SharedFit(lambda counts: {WEAK[0]: cox.coefficients(counts)[:, 0]})
    return TaskMetric(WEAK[0], fit.statistic(WEAK[0]), NO_SLOPE, (method,))


def _d_calibration(rows: pd.DataFrame, horizons: Sequence[int]) -> TaskMetric:
    """Return the p-value of D-calibration over all horizons."""
    name = "d_calibration_p"
    if rows["patient_id"].duplicated().any():
        return TaskMetric(name, no_value, "no p: patients repeat over folds")
    survival = rows[[f"survival_{days}" for days in horizons]].to_numpy(dtype=np.float64)
    if np.isnan(survival).any():
        return TaskMetric(name, no_value, "a predicted survival is empty")
    own, known = survival_at_own_time(
        survival, np.array(horizons, dtype=np.float64), rows["time_days"], rows["event"]
    )
    if not known.any():
        return TaskMetric(name, no_value, "no event up to the last horizon")
    method = (
        f"Haider's chi-square, {BINS} bins; hazard constant between horizons, "
        f"follow-up cut at {horizons[-1]} days"
    )
    return TaskMetric(
        name,
        d_calibration_statistic(own, known),
        "",
        interval=(float("nan"), float("nan"), method),
    )

"""Which metrics of calibration a survival task gets, at each horizon that it predicts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import Counts, Fit, FittedOnce, FloatArray
from mtl_hcc.metrics.calibration.d_calibration import (
    BINS,
    d_calibration_statistic,
    survival_at_own_time,
)
from mtl_hcc.metrics.calibration.resampled_cox import CoxResamples
from mtl_hcc.metrics.calibration.resampled_regression import clipped
from mtl_hcc.metrics.calibration.smooth_curve import (
    DISTANCES,
    curve_distances,
    smooth_survival_curves,
)
from mtl_hcc.metrics.calibration.weak_calibration import survival_recalibration
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

WEAK = ("calibration_slope", "calibration_intercept")
SURVIVAL_CALIBRATION = (*WEAK, *DISTANCES, "d_calibration_p")
"""Names in the order of ``metrics.csv``."""
ENOUGH_FOR_SLOPE = 5
ENOUGH_FOR_CURVE = 10
"""Patients with the event, and without, below which a slope or a smoothed curve says nothing."""
NO_SLOPE = "the predictions are constant, or the regression has no finite solution"
NO_CURVE = "the smoothed curve has no finite solution, or the predictions are constant"
NO_COLUMNS = "no column survival_<days>"
SMOOTHED = (
    "curve by Cox regression on a spline of log(-log(survival)); resamples add noise to it: "
    "the interval lies high"
)
RECALIBRATION = (
    "complementary log-log regression of the event by the horizon",
    WEIGHTS_FROM,
)


def survival_calibration_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of calibration of one survival task.

    Without columns ``survival_<days>`` there is a slope only: the coefficient of the risk in a Cox
    regression. Probabilities of several folds are pooled: they are on one scale.
    """
    horizons = predicted_horizons(sample.rows)
    if not horizons:
        absent = [TaskMetric(name, no_value, NO_COLUMNS) for name in SURVIVAL_CALIBRATION[1:]]
        return [_slope_of_risk(sample.rows), *absent]
    rows = sample.rows
    reasons = {
        days: reason or why_not_horizon(rows, days)
        for days, reason in task_horizons(sample).items()
    }
    smoothed = {days: reason or _too_few(rows, days) for days, reason in reasons.items()}
    metrics = [metric for days in horizons for metric in _weak(rows, days, reasons[days])]
    metrics += _distances(rows, smoothed)
    metrics.sort(key=lambda metric: SURVIVAL_CALIBRATION.index(metric.name))  # horizons ascend
    return [*metrics, _d_calibration(rows, horizons)]


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


def _weak(rows: pd.DataFrame, days: int, reason: str) -> list[TaskMetric]:
    """Return slope and intercept at one horizon."""
    if reason:
        return [TaskMetric(name, no_value, reason, horizon_days=days) for name in WEAK]
    inside, moved = clipped(event_probability(rows, days))
    weak = FittedOnce(survival_recalibration(rows["time_days"], rows["event"], inside, days))
    slope, intercept = (weak.statistic(name) for name in WEAK)
    events = int(((rows["event"] == 1) & (rows["time_days"] <= days)).sum())
    few = too_few("a slope", events, _followed(rows, days), ENOUGH_FOR_SLOPE)
    fixed = (*RECALIBRATION, "slope fixed at 1", *moved)
    return [
        TaskMetric(
            WEAK[0],
            no_value if few else slope,
            few or NO_SLOPE,
            (*RECALIBRATION, *moved),
            None,
            days,
        ),
        TaskMetric(WEAK[1], intercept, NO_SLOPE, fixed, None, days),
    ]


def _distances(rows: pd.DataFrame, reasons: Mapping[int, str]) -> list[TaskMetric]:
    """Return ICI, E50 and E90 at all horizons, or the reason why there are none."""
    predicted = {days: event_probability(rows, days) for days in reasons if not reasons[days]}
    shared = FittedOnce(smoothed_distances(rows, predicted)) if predicted else None
    metrics = []
    for name in DISTANCES:
        for days, reason in reasons.items():
            if shared is None or reason:
                metrics.append(TaskMetric(name, no_value, reason, horizon_days=days))
                continue
            notes = (SMOOTHED, *clipped(predicted[days])[1])
            statistic = shared.statistic(f"{name}_{days}")
            metrics.append(TaskMetric(name, statistic, NO_CURVE, notes, horizon_days=days))
    return metrics


def smoothed_distances(rows: pd.DataFrame, predicted: Mapping[int, FloatArray]) -> Fit:
    """Return ``ici_<days>``, ``e50_<days>`` and ``e90_<days>`` as a function of counts."""
    curves = smooth_survival_curves(rows["time_days"], rows["event"], predicted)

    def distances(counts: Counts) -> dict[str, FloatArray]:
        found: dict[str, FloatArray] = {}
        for days, curve in curves.items():
            observed = curve.observed(curve.fit(counts), predicted[days])
            values = curve_distances(observed, predicted[days], counts)
            found |= {f"{name}_{days}": value for name, value in values.items()}
        return found

    return distances


def _too_few(rows: pd.DataFrame, days: int) -> str:
    """Return why there is no smoothed curve at a horizon, empty if there is one.

    The curve's regression learns from the whole follow-up, so later events count too.
    """
    events = int((rows["event"] == 1).sum())
    return too_few("a smoothed curve", events, _followed(rows, days), ENOUGH_FOR_CURVE)


def _followed(rows: pd.DataFrame, days: int) -> int:
    return int((rows["time_days"] > days).sum())


def too_few(what: str, events: int, others: int, enough: int) -> str:
    """Return that there are too few events, or patients without, for a fit; empty = enough."""
    if min(events, others) >= enough:
        return ""
    return f"{what} needs {enough} patients with and without the event; found {events}, {others}"


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
    fit = FittedOnce(lambda counts: {WEAK[0]: cox.coefficients(counts)[:, 0]})
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

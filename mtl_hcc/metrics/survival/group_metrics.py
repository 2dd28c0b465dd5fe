"""Which metrics tell how the high- and the low-risk patients of a survival task differ."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from mtl_hcc.metrics.statistic import BoolArray, NotComputableError
from mtl_hcc.metrics.survival.hazard_ratio import (
    hazard_ratio,
    hazard_ratio_statistic,
    why_not_hazard_ratio,
)
from mtl_hcc.metrics.survival.horizons import task_horizons
from mtl_hcc.metrics.survival.kaplan_meier import median_follow_up
from mtl_hcc.metrics.survival.logrank import logrank_p
from mtl_hcc.metrics.survival.restricted_mean import (
    restricted_mean_difference,
    restricted_mean_statistic,
)
from mtl_hcc.metrics.survival.risk_groups import high_risk
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

RISK_GROUPS = ("hazard_ratio", "logrank_p", "rmst_difference", "median_follow_up_days")
"""Names in the order of ``metrics.csv``. ``rmst_difference``: days, high minus low risk."""
REPEATED = "patients repeat over folds, so that no exact test applies"


def risk_group_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return how high- and low-risk patients differ, cut at the train median of the same fold.

    Where patients repeat over folds (the train split of k-fold), intervals are bootstrapped, all
    rows of a patient together, and there is no log-rank test.
    """
    rows = sample.rows
    high, rule = high_risk(rows, sample.train)
    group = high.to_numpy(dtype=bool)
    return [
        _hazard_ratio(rows, group, rule),
        _logrank(rows, group, rule),
        *(_restricted_mean(rows, group, rule, at) for at in task_horizons(sample).items()),
        _follow_up(rows),
    ]


def _hazard_ratio(rows: pd.DataFrame, group: BoolArray, rule: str) -> TaskMetric:
    days, event = rows["time_days"], rows["event"]
    make = partial(
        TaskMetric,
        "hazard_ratio",
        hazard_ratio_statistic(days, event, group),
        why_not_hazard_ratio(event, group),
        ("high against low risk", rule),
    )
    try:
        value, low, high, _ = hazard_ratio(days, event, group)
    except NotComputableError:
        return make()
    exact = None if _repeated(rows) else (low, high, "Cox (Efron), Wald interval")
    return make(interval=exact, value=value)


def _logrank(rows: pd.DataFrame, group: BoolArray, rule: str) -> TaskMetric:
    if _repeated(rows):
        return TaskMetric("logrank_p", no_value, REPEATED)
    try:
        value = logrank_p(rows["time_days"], rows["event"], group)
    except NotComputableError as error:
        return TaskMetric("logrank_p", no_value, str(error))
    return TaskMetric(
        "logrank_p",
        no_value,
        "p-values of two models are not subtracted",
        ("high against low risk", rule),
        interval=(np.nan, np.nan, "log-rank test"),
        value=value,
    )


def _restricted_mean(
    rows: pd.DataFrame, group: BoolArray, rule: str, horizon: tuple[int, str]
) -> TaskMetric:
    days, why_not = horizon
    make: Callable[..., TaskMetric] = partial(
        TaskMetric, "rmst_difference", horizon_days=float(days)
    )
    if why_not:
        return make(no_value, why_not)
    time, event = rows["time_days"], rows["event"]
    try:
        value, low, high, _ = restricted_mean_difference(time, event, group, days)
    except NotComputableError as error:
        return make(no_value, str(error))
    return make(
        restricted_mean_statistic(time, event, group, days),
        "",
        ("days lost by the high-risk group are negative", rule),
        interval=None if _repeated(rows) else (low, high, "Greenwood's variance"),
        value=value,
    )


def _follow_up(rows: pd.DataFrame) -> TaskMetric:
    patients = rows.drop_duplicates("patient_id")
    name = "median_follow_up_days"
    try:
        value, low, high = median_follow_up(patients["time_days"], patients["event"])
    except NotComputableError as error:
        return TaskMetric(name, no_value, str(error))
    return TaskMetric(
        name,
        no_value,
        "follow-up belongs to the patients, not to a model",
        interval=(low, high, "reverse Kaplan-Meier, log-log interval"),
        value=value,
    )


def _repeated(rows: pd.DataFrame) -> bool:
    return bool(rows["patient_id"].duplicated().any())

"""Who is at high risk, and how these patients differ from the others."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import BoolArray, NotComputableError
from mtl_hcc.metrics.survival.hazard_ratio import (
    hazard_ratio,
    hazard_ratio_statistic,
    logrank,
    why_not_hazard_ratio,
)
from mtl_hcc.metrics.survival.horizons import task_horizons
from mtl_hcc.metrics.survival.product_limit import median_follow_up
from mtl_hcc.metrics.survival.restricted_mean import (
    restricted_mean_difference,
    restricted_mean_statistic,
)
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value
from mtl_hcc.split_names import TRAIN

RISK_GROUPS = ("hazard_ratio", "logrank_p", "rmst_difference", "median_follow_up_days")
"""Names in the order of ``metrics.csv``. ``rmst_difference``: days, high minus low risk."""
REPEATED = "patients repeat over folds, so that no exact test applies"
AT_THE_HIGHEST = "nobody there is above it, so high risk is at it"


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
        value = logrank(rows["time_days"], rows["event"], group)[2]
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


def high_risk(rows: pd.DataFrame, train: pd.DataFrame) -> "tuple[pd.Series[bool], str]":
    """Return who is at high risk by the cut-off of the own fold, and the rule in words.

    High risk is above the median. Where nobody is above it, since half of the patients or more have
    the highest risk (a score of two values, most of them high), it is at or above the median: else
    all would be in one group.

    Args:
        rows: ``fold, risk`` of one model and task.
        train: Those of its train split. A fold without train rows is cut at the median of its own
            rows, which the rule says.

    Returns:
        (row,) bool, and e.g. ``"cut at the median risk of train"``.
    """
    of_train, own = (_cut_offs(table) for table in (train, rows))
    absent = ~rows["fold"].isin(of_train.index)
    rule = "cut at the median risk of train"
    if absent.any():
        rule = "cut at the median risk of these rows, as no train rows are known"
        rule += "" if absent.all() else " for some folds"
    cuts = pd.concat([of_train, own.drop(of_train.index, errors="ignore")])
    cuts = cuts.loc[rows["fold"]].set_axis(rows.index)
    at_highest = cuts["nobody_above"]
    high = (rows["risk"] > cuts["median"]) | (at_highest & (rows["risk"] == cuts["median"]))
    if at_highest.any():
        rule += f"; {AT_THE_HIGHEST}" + ("" if at_highest.all() else " in some folds")
    return high, rule


def _cut_offs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ``median`` risk of each fold, and whether ``nobody_above`` it leaves two groups.

    Where all have one risk there are no groups, whichever side the cut is on.
    """
    risk = table.groupby("fold")["risk"]
    median, highest, lowest = risk.median(), risk.max(), risk.min()
    return pd.DataFrame(
        {"median": median, "nobody_above": (median == highest) & (lowest < highest)}
    )


def with_risk_groups(known: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return all rows of one task with the column ``high``, and the rule in words.

    Each split is cut by :func:`high_risk`, so that groups are those of ``metrics.csv``.

    Args:
        known: ``split, fold, risk`` of one model and task, rows with a known outcome.
    """
    train = known[known["split"] == TRAIN]
    high = pd.Series(False, index=known.index)
    rules = []
    for _, rows in known.groupby("split", sort=False):
        high.loc[rows.index], rule = high_risk(rows, train)
        rules.append(rule)
    return known.assign(high=high), "; ".join(dict.fromkeys(rules))


def rule_in_words(rules: Mapping[str, str]) -> str:
    """Return the rules of several tasks as one text, by task where they differ.

    Args:
        rules: Task to the rule of its risk groups.
    """
    distinct = list(dict.fromkeys(rules.values()))
    if len(distinct) < 2:
        return "".join(distinct)
    return "; ".join(f"{task.upper()} {rule}" for task, rule in rules.items())

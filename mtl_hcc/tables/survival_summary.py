"""How long do the patients live, by risk group? Follow-up, medians, survival, restricted mean."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.metrics.bootstrap import Z_95, NotComputableError
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.survival.horizons import task_horizons
from mtl_hcc.metrics.survival.product_limit import kaplan_meier, median_follow_up
from mtl_hcc.metrics.survival.restricted_mean import restricted_mean
from mtl_hcc.metrics.survival.risk_groups import rule_in_words, with_risk_groups
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.split_names import TRAIN
from mtl_hcc.tables.printed_numbers import value_text

YEARS = {"1-year": 365, "2-year": 730, "3-year": 1095, "5-year": 1825}
FOLLOW_UP, MEDIAN = "Median follow-up, days (95% CI)", "Median survival, days (95% CI)"
RMST = "RMST, days (95% CI)"
SURVIVAL = {name: f"{name} survival, % (95% CI)" for name in YEARS}
PRINTED = ["Task", "Split", "Group", "Patients", "Events", FOLLOW_UP, MEDIAN, *SURVIVAL.values()]
PRINTED += [RMST, "RMST up to day"]
Interval = tuple[float, float, float]
NOTHING: Interval = (math.nan, math.nan, math.nan)


def survival_summary(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return follow-up and survival of every survival task and split: all, low and high risk.

    Args:
        predictions: Table of predictions; the risk groups are those of the first model.

    Returns:
        A row per task, split and group: columns for print (capitals), and the numbers behind them
        with their intervals (``follow_up``, ``median``, ``survival_<days>`` and ``rmst``, each with
        ``_low`` and ``_high``; survival as a proportion, all else in days).
    """
    table = check_predictions(predictions)
    model = table["model"].iloc[0]
    table = table[table["model"] == model]
    records: list[dict[str, Any]] = []
    rules: dict[str, str] = {}
    for task, rows in table.groupby("task", sort=False):
        if task_kind(rows) != "survival":
            continue
        known, rule = with_risk_groups(with_outcome(rows, "survival"))
        rules |= {str(task): rule} if rule else {}
        train = known[known["split"] == TRAIN]
        for split, inside in known.groupby("split", sort=False):
            sample = TaskRows(inside, train, "survival")
            place = {"Task": readable_name(str(task)), "Split": split}
            records += [{**place, **record} for record in _records(sample)]
    names = [*PRINTED, *_numbers()]
    summary = pd.DataFrame(records, columns=names)
    summary[PRINTED] = summary[PRINTED].fillna("")
    summary.attrs["caption"] = _caption(str(model), rules)
    return summary


def _numbers() -> list[str]:
    values = ["follow_up", "median", *(f"survival_{days}" for days in YEARS.values()), "rmst"]
    return [f"{name}{end}" for name in values for end in ("", "_low", "_high")]


def _caption(model: str, rules: dict[str, str]) -> str:
    if not rules:
        return "No survival task with a known outcome among the predictions."
    return (
        f"Follow-up and survival of all patients and of those that {model} calls high and low risk "
        f"({rule_in_words(rules)}). Median follow-up: reverse Kaplan-Meier. Median survival and "
        "survival at 1, 2, 3 and 5 years (365, 730, 1095 and 1825 days): Kaplan-Meier, with "
        "intervals from Greenwood's variance on the log-log scale; empty after a group's last "
        "follow-up. RMST: restricted mean survival time up to the latest horizon inside the "
        "follow-up of all groups. Survival means event-free survival: of OS being alive, of RFS "
        "being alive without recurrence. Patients that repeat over folds count once in the row of "
        "all patients; in the risk groups they count as often as they were predicted, without "
        "intervals."
    )


def _records(sample: TaskRows) -> Iterator[dict[str, Any]]:
    rows = sample.rows
    groups = {
        "all": rows.drop_duplicates("patient_id"),
        "low risk": rows[~rows["high"]],
        "high risk": rows[rows["high"]],
    }
    groups = {name: group for name, group in groups.items() if len(group)}
    horizon = _latest_horizon(sample, list(groups.values()))
    for name, group in groups.items():
        patients = group.drop_duplicates("patient_id")
        values = _values(group, horizon)
        if len(patients) < len(group):
            values = {key: (value[0], math.nan, math.nan) for key, value in values.items()}
        numbers = {
            f"{key}{end}": number
            for key, value in values.items()
            for end, number in zip(("", "_low", "_high"), value, strict=True)
        }
        yield {
            "Group": name,
            "Patients": len(patients),
            "Events": int(patients["event"].sum()),
            FOLLOW_UP: _median_text(values["follow_up"]),
            MEDIAN: _median_text(values["median"]),
            **{SURVIVAL[year]: _percent(values[f"survival_{YEARS[year]}"]) for year in YEARS},
            RMST: value_text(*values["rmst"], digits=0),
            "RMST up to day": "" if horizon is None else f"{horizon:g}",
            **numbers,
        }


def _latest_horizon(sample: TaskRows, groups: list[pd.DataFrame]) -> float | None:
    """Return the latest horizon at which all groups are still followed."""
    end = min(group["time_days"].max() for group in groups)
    inside = [days for days, reason in task_horizons(sample).items() if not reason and days <= end]
    return float(max(inside)) if inside else None


def _values(group: pd.DataFrame, horizon: float | None) -> dict[str, Interval]:
    """Return each value with its interval, NaN where there is none."""
    time, event = group["time_days"], group["event"]
    curve = kaplan_meier(time, event)
    values = {"follow_up": NOTHING, "median": curve.median(), "rmst": NOTHING}
    with contextlib.suppress(NotComputableError):  # fewer than half are censored
        values["follow_up"] = median_follow_up(time, event)
    values |= {f"survival_{days}": curve.at(days) for days in YEARS.values()}
    if horizon is not None:
        mean, error = restricted_mean(time, event, horizon)
        values["rmst"] = (mean, mean - Z_95 * error, mean + Z_95 * error)
    return values


def _median_text(value: Interval) -> str:
    """Return a median with its interval, whose ends may lie beyond the follow-up."""
    if math.isnan(value[0]):
        return "not reached"
    if math.isnan(value[1]) and math.isnan(value[2]):
        return f"{value[0]:.0f}"
    low, high = ("not reached" if math.isnan(end) else f"{end:.0f}" for end in value[1:])
    return f"{value[0]:.0f} ({low}-{high})"


def _percent(value: Interval) -> str:
    return value_text(*(100 * part for part in value), digits=0)

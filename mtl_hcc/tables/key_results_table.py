"""The main numbers: the network with its interval, beside the baselines and the oracle."""

from collections.abc import Hashable, Mapping
from math import isnan
from typing import Any

import pandas as pd

from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.results_table import SHOWN
from mtl_hcc.split_names import in_split_order, split_place

NO_VALUE = "-"
Row = Mapping[Hashable, Any]
"""One row of ``metrics.csv``: column to cell."""
MAIN_METRICS = {"concordance_harrell": "C-index", "auc": "AUC"}
"""Metric to its name in print."""


def key_results(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled main metrics: a row per split and metric, models in columns.

    Args:
        metrics: As from ``evaluate_predictions``; the first model is the one that is reported.
    """
    pooled = metrics[(metrics["center"] == ALL_CENTERS) & metrics["metric"].isin(list(SHOWN))]
    pooled = pooled.astype({"events": float})
    models = [str(name) for name in pooled["model"].drop_duplicates()]
    if not models:
        return pd.DataFrame()
    cells = {
        (row["model"], row["split"], row["task"], row["metric"]): row
        for row in pooled.to_dict("records")
    }
    main = pooled[pooled["model"] == models[0]]
    rows = []
    splits = in_split_order(sorted(main["split"].unique(), reverse=True))
    for split in reversed(splits):  # the most independent first
        for row in main[main["split"] == split].to_dict("records"):
            task, metric = row["task"], row["metric"]
            found = [cells.get((model, split, task, metric)) for model in models]
            sizes = {"Patients": str(row["n"]), "Events": number(row["events"], digits=0)}
            values = {model: with_interval(cell) for model, cell in zip(models, found, strict=True)}
            name = f"{str(task).upper().replace('_', ' ')} {SHOWN[str(metric)]}"
            rows.append({"Split": split, "Metric": name, **sizes, **values})
    table = pd.DataFrame(rows)
    table.attrs["caption"] = caption(models)
    return table


def caption(models: list[str]) -> str:
    """Return what the numbers are and where the models were fitted."""
    beside = f" Beside {models[0]}: {', '.join(models[1:])}." if len(models) > 1 else ""
    return (
        "Main metrics with 95% interval. C-index: share of pairs of patients in which the one with "
        "the higher predicted risk has the event first. AUC: the same for patients with and "
        "without the condition. 0.5 is chance, 1 is perfect. F1: harmonic mean of sensitivity and "
        "positive predictive value." + beside
    )


def with_interval(row: Row | None) -> str:
    """Return ``0.712 (0.600-0.820)``, or a dash."""
    if row is None:
        return NO_VALUE
    text = number(row["value"])
    if text == NO_VALUE or isnan(row["ci_low"]):
        return text
    return f"{text} ({number(row['ci_low'])}-{number(row['ci_high'])})"


def number(value: float, *, digits: int = 3) -> str:
    """Return a number as text, a dash for a missing one."""
    return NO_VALUE if isnan(value) else f"{value:.{digits}f}"


def main_rows(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the main metrics with the column ``name``, splits in their order.

    Args:
        metrics: As ``metrics.csv``.
    """
    rows = metrics[metrics["metric"].isin(list(MAIN_METRICS))]
    if "horizon_days" in rows:
        rows = rows[rows["horizon_days"].isna()]
    rows = rows.sort_values(
        "split", key=lambda splits: splits.map(split_place), kind="stable", ignore_index=True
    )
    numbers = ["value", "ci_low", "ci_high", "n", "events"]
    rows = rows.astype(dict.fromkeys(numbers, float))
    return rows.assign(name=rows["metric"].map(MAIN_METRICS), method=rows["method"].fillna(""))

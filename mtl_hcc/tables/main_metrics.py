"""The one metric that each task is judged by: C-index, or AUC."""

import pandas as pd

from mtl_hcc.split_names import split_place

MAIN_METRICS = {"concordance_harrell": "C-index", "auc": "AUC"}
"""Metric to its name in print."""


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

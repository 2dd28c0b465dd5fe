"""The one metric that each task is judged by: C-index, or AUC."""

import pandas as pd

from mtl_hcc.metrics.thresholds import TRAIN

MAIN_METRICS = {"concordance_harrell": "C-index", "auc": "AUC"}
"""Metric to its name in print."""
SPLIT_ORDER = (TRAIN, "validation", "test", "external")


def main_rows(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the main metrics with the column ``name``, splits in their order.

    Args:
        metrics: As ``metrics.csv``.
    """
    rows = metrics[metrics["metric"].isin(list(MAIN_METRICS))]
    if "horizon_days" in rows:
        rows = rows[rows["horizon_days"].isna()]
    place = rows["split"].map({split: number for number, split in enumerate(SPLIT_ORDER)})
    order = place.fillna(len(SPLIT_ORDER)).sort_values(kind="stable").index
    rows = rows.loc[order].reset_index(drop=True)
    numbers = ["value", "ci_low", "ci_high", "n", "events"]
    rows = rows.astype(dict.fromkeys(numbers, float))
    return rows.assign(name=rows["metric"].map(MAIN_METRICS), method=rows["method"].fillna(""))

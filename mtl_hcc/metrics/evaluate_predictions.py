"""From a table of predictions to a table of metrics: by model, split, center and task."""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.statistic import Counts, point_value
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows
from mtl_hcc.metrics.task_metrics import task_metrics
from mtl_hcc.metrics.thresholds import TRAIN, Threshold, with_threshold

METRIC_COLUMNS = [
    "model",
    "split",
    "center",
    "task",
    "metric",
    "horizon_days",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "events",
    "method",
]
ALL_CENTERS = "all"


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    bootstraps: int = 1000,
    seed: int = 0,
    threshold: Threshold = 0.5,
    progress: bool = False,
) -> pd.DataFrame:
    """Compute the metrics of every model, split, center and task.

    Nothing aborts: a metric without a value has an empty ``value`` and its reason in ``method``.
    Where a split holds several folds (k-fold), pairs of patients are compared within a fold, since
    the risks of two models are on two scales; sums of pairs are added over the folds.

    Args:
        predictions: Table of predictions with the column ``model``.
        bootstraps: Resamples of the patients for intervals; 0 = none. Models evaluated on the same
            patients share their resamples.
        seed: Seed of the resamples.
        threshold: Cut-off of two-class tasks, or ``"youden"`` on the train rows of each fold.
        progress: Show a bar.

    Returns:
        One row per metric, with the columns of ``metrics.csv``. ``n`` counts patients with a known
        outcome, ``events`` those with the event (or the positive class; empty for more classes).
    """
    from rich.progress import track

    table = with_threshold(check_predictions(predictions), threshold)
    blocks = [
        (
            {"model": model, "split": split, "center": center, "task": task},
            TaskRows(with_outcome(rows, kind), train, kind),
        )
        for (model, task), of_task in table.groupby(["model", "task"], sort=False)
        for kind in [task_kind(of_task)]
        for train in [with_outcome(of_task[of_task["split"] == TRAIN], kind)]
        for split, of_split in of_task.groupby("split", sort=False)
        for center, rows in _by_center(of_split)
    ]
    records: list[dict[str, object]] = []
    for place, sample in track(blocks, "Computing metrics", transient=True, disable=not progress):
        records += [{**place, **record} for record in _block(sample, bootstraps, seed)]
    metrics = pd.DataFrame(records, columns=METRIC_COLUMNS)
    numbers = ["horizon_days", "value", "ci_low", "ci_high"]
    metrics[numbers] = metrics[numbers].astype(float)
    return metrics.astype({"events": "Int64"})


def _by_center(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return all rows, then those of each center if there are several."""
    single = [(str(center), inside) for center, inside in rows.groupby("center", sort=True)]
    return [(ALL_CENTERS, rows), *(single if len(single) > 1 else [])]


def _block(sample: TaskRows, bootstraps: int, seed: int) -> list[dict[str, object]]:
    """Compute the metrics of one task on one block of rows."""
    patients = sample.rows.drop_duplicates("patient_id")
    events = float("nan")
    if sample.kind != "multiclass":
        events = patients["event" if sample.kind == "survival" else "label"].sum()
    counts = resample_counts(sample.rows["patient_id"], bootstraps=bootstraps, seed=seed)
    size = {"n": len(patients), "events": events}
    return [{**_record(metric, counts, seed), **size} for metric in task_metrics(sample)]


def _record(metric: TaskMetric, counts: Counts, seed: int) -> dict[str, object]:
    """Compute the value, interval and method of one metric."""
    record: dict[str, object] = {"metric": metric.name, "horizon_days": metric.horizon_days}
    value = metric.value
    if value is None:
        value = point_value(metric.statistic, counts.shape[1])
    if not np.isfinite(value):
        return {**record, "value": None, "method": metric.why_not}
    if metric.interval is not None:
        low, high, method = metric.interval
    else:
        low, high, method = _bootstrap_interval(metric, counts, seed)
    method = "; ".join(part for part in (method, *metric.notes) if part)
    return {**record, "value": value, "ci_low": low, "ci_high": high, "method": method}


def _bootstrap_interval(metric: TaskMetric, counts: Counts, seed: int) -> tuple[float, float, str]:
    """Return the percentile interval, and how many resamples had no value."""
    if len(counts) == 0:
        return float("nan"), float("nan"), "no interval asked for"
    values = metric.statistic(counts)
    low, high = percentile_interval(values)
    method = f"percentile bootstrap of {len(counts)} patient resamples, seed {seed}"
    empty = int(np.isnan(values).sum())
    if np.isnan(low):
        method = f"no interval: {empty} of {len(counts)} resamples have no value"
    elif empty:
        method += f" ({empty} of them without a value)"
    return low, high, method

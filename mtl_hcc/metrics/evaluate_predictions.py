"""From a table of predictions to a table of metrics: by model, split, center and task."""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval
from mtl_hcc.metrics.prediction_remarks import prediction_remarks, with_remarks
from mtl_hcc.metrics.predictions import POOLED, check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.resamples import ResampledMetric, Resamples
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.thresholds import Threshold, with_threshold
from mtl_hcc.split_names import TRAIN

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
ALL_CENTERS = POOLED
FEW_PATIENTS = 20
"""A center with fewer: resamples of so few say little, and there are many such centers."""
ALWAYS_RESAMPLED = ("concordance_harrell", "auc")
"""Resampled whatever the size of the center: they are pooled over the centers."""
FEW_IN_CLASS = 10
EXACT = ("wilson",)
"""Beginnings of ``method`` of intervals that hold for few patients, too."""
SAID_TOO_NARROW = "too narrow"
"""Metrics at a horizon say so themselves, of the events by then."""


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    bootstraps: int = 1000,
    seed: int = 0,
    threshold: Threshold = 0.5,
    resamples: Resamples | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Compute the metrics of every model, split, center and task.

    Nothing aborts: a metric without a value has an empty ``value`` and its reason in ``method``,
    which also says where an interval is rough and what looks odd in the predictions.
    Where a split holds several folds (k-fold), pairs of patients are compared within a fold, since
    the risks of two models are on two scales; sums of pairs are added over the folds.

    Args:
        predictions: Table of predictions with the column ``model``.
        bootstraps: Resamples of the patients for intervals; 0 = none. Models evaluated on the same
            patients share their resamples.
        seed: Seed of the resamples.
        threshold: Cut-off of two-class tasks, or ``"youden"`` on the train rows of each fold.
        resamples: In place of ``bootstraps`` and ``seed``; hand it to ``compare_models`` too.
        progress: Show a bar.

    Returns:
        One row per metric, with the columns of ``metrics.csv``. Centers with fewer than 20 patients
        get a bootstrap interval for the C-index and the AUC only, which ``method`` says. ``n``
        counts patients with a known outcome, ``events`` those with the event (or the positive
        class; empty for more classes).
    """
    from rich.progress import track

    table = with_threshold(check_predictions(predictions), threshold)
    resamples = resamples or Resamples(bootstraps=bootstraps, seed=seed)
    blocks = [
        (
            {"model": model, "split": split, "center": center, "task": task},
            center,
            TaskRows(with_outcome(rows, kind), train, kind),
        )
        for (model, task), of_task in table.groupby(["model", "task"], sort=False)
        for kind in [task_kind(of_task)]
        for train in [with_outcome(of_task[of_task["split"] == TRAIN], kind)]
        for split, of_split in of_task.groupby("split", sort=False)
        for center, rows in _by_center(of_split)
    ]
    records: list[dict[str, object]] = []
    for place, center, sample in track(
        blocks, "Computing metrics", transient=True, disable=not progress
    ):
        records += [{**place, **record} for record in _block(sample, center, resamples)]
    metrics = pd.DataFrame(records, columns=METRIC_COLUMNS)
    numbers = ["horizon_days", "value", "ci_low", "ci_high"]
    metrics[numbers] = metrics[numbers].astype(float)
    metrics = judged_intervals(metrics.astype({"events": "Int64"}))
    return with_remarks(metrics, prediction_remarks(table))


def _by_center(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return all rows, then those of each center if there are several.

    Not where patients repeat over folds (the train split of k-fold): nobody reads those by center.
    """
    if rows["patient_id"].duplicated().any():
        return [(ALL_CENTERS, rows)]
    single = [(str(center), inside) for center, inside in rows.groupby("center", sort=True)]
    return [(ALL_CENTERS, rows), *(single if len(single) > 1 else [])]


def _block(sample: TaskRows, center: str, resamples: Resamples) -> list[dict[str, object]]:
    """Compute the metrics of one task on one block of rows."""
    patients = sample.rows.drop_duplicates("patient_id")
    events = float("nan")
    if sample.kind != "multiclass":
        events = patients["event" if sample.kind == "survival" else "label"].sum()
    size = {"n": len(patients), "events": events}
    # Models are compared over all centers, so only those blocks are asked for again.
    compute = resamples.kept_metrics if center == ALL_CENTERS else resamples.metrics
    few = center != ALL_CENTERS and len(patients) < FEW_PATIENTS
    return [{**_record(metric, few), **size} for metric in compute(sample)]


def _record(resampled: ResampledMetric, few: bool) -> dict[str, object]:
    """Compute the value, interval and method of one metric."""
    metric = resampled.metric
    record: dict[str, object] = {"metric": metric.name, "horizon_days": metric.horizon_days}
    if not np.isfinite(resampled.value):
        return {**record, "value": None, "method": metric.why_not}
    low, high, method = metric.interval or _bootstrap_interval(resampled, few)
    method = "; ".join(part for part in (method, *metric.notes) if part)
    return {**record, "value": resampled.value, "ci_low": low, "ci_high": high, "method": method}


def _bootstrap_interval(resampled: ResampledMetric, few: bool) -> tuple[float, float, str]:
    """Return the percentile interval, and how many resamples had no value."""
    resamples = resampled.resamples
    if few and resampled.metric.name not in ALWAYS_RESAMPLED:
        return float("nan"), float("nan"), f"no interval: fewer than {FEW_PATIENTS} patients"
    if resamples.bootstraps == 0:
        return float("nan"), float("nan"), "no interval asked for"
    values = resampled.values
    low, high = percentile_interval(values)
    method = f"percentile bootstrap of {len(values)} patient resamples, seed {resamples.seed}"
    empty = int(np.isnan(values).sum())
    if np.isnan(low):
        method = f"no interval: {empty} of {len(values)} resamples have no value"
    elif empty:
        method += f" ({empty} of them without a value)"
    return low, high, method


def judged_intervals(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics without intervals of no width, and with a word where they are rough.

    Args:
        metrics: As from ``evaluate_predictions``.
    """
    metrics = metrics.copy()
    method = metrics["method"].fillna("").astype(str)
    flat = metrics["ci_low"].notna() & (metrics["ci_low"] == metrics["ci_high"])
    events = metrics["events"].astype(float)
    survival = _of_survival(metrics)
    smaller = events.where(survival | (events * 2 <= metrics["n"]), metrics["n"] - events)
    rough = metrics["ci_low"].notna() & (smaller < FEW_IN_CLASS) & ~flat
    rough &= ~(method.str.startswith(EXACT) | method.str.contains(SAID_TOO_NARROW))
    of = metrics["n"].astype(int).astype(str) + " patients"
    reason = "no interval: of these " + of + " it would have no width; "
    what = survival.map({True: " events", False: " patients in the smaller class"})
    few = "; rough interval: only " + smaller.fillna(0).astype(int).astype(str) + what
    metrics.loc[flat, ["ci_low", "ci_high"]] = np.nan
    metrics["method"] = metrics["method"].where(~flat, reason + method)
    metrics["method"] = metrics["method"].where(~rough, method + few)
    return metrics


def _of_survival(metrics: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows are of a survival task: only these have a C-index."""
    tasks = metrics.loc[metrics["metric"].str.startswith("concordance"), "task"].unique()
    return metrics["task"].isin(tasks)

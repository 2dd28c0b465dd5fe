"""Which of two models is better on the same patients: DeLong for AUC, else paired bootstrap."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts, two_sided_p
from mtl_hcc.metrics.classification.delong import delong_difference
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.statistic import Counts, NotComputableError, point_value
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows
from mtl_hcc.metrics.task_metrics import METRICS, task_metrics
from mtl_hcc.metrics.thresholds import TRAIN, Threshold, with_threshold

COMPARISON_COLUMNS = [
    "split",
    "task",
    "metric",
    "model_a",
    "model_b",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "method",
]
OUTCOMES = ["time_days", "event", "label"]


def compare_models(
    predictions: pd.DataFrame,
    *,
    bootstraps: int = 1000,
    seed: int = 0,
    threshold: Threshold = 0.5,
) -> pd.DataFrame:
    """Compare every two models on the patients (and folds) that both predict.

    Args:
        predictions: Table of predictions with the column ``model``.
        bootstraps: Resamples of the patients, the same for both models.
        seed: Seed of the resamples.
        threshold: Cut-off of two-class tasks, or ``"youden"``, each model its own.

    Returns:
        One row per split, task, metric and pair, with the columns of ``comparisons.csv``;
        ``difference`` is the metric of ``model_a`` minus that of ``model_b``. The number of common
        and of dropped patients stands in ``method``.
    """
    table = with_threshold(check_predictions(predictions), threshold)
    records: list[dict[str, object]] = []
    of_train = table[table["split"] == TRAIN]
    for (split, task), rows in table.groupby(["split", "task"], sort=False):
        models = {str(model): of_model for model, of_model in rows.groupby("model", sort=False)}
        kinds = {model: task_kind(of_model) for model, of_model in models.items()}
        for a, b in combinations(models, 2):
            place = {"split": split, "task": task, "model_a": a, "model_b": b}
            train = of_train[of_train["task"] == task]
            samples = [
                TaskRows(
                    with_outcome(models[name], kinds[name]),
                    with_outcome(train[train["model"] == name], kinds[name]),
                    kinds[name],
                )
                for name in (a, b)
            ]
            pair = _compare(samples[0], samples[1], bootstraps, seed)
            records += [{**place, **record} for record in pair]
    return pd.DataFrame(records, columns=COMPARISON_COLUMNS)


def _compare(
    sample_a: TaskRows, sample_b: TaskRows, bootstraps: int, seed: int
) -> list[dict[str, object]]:
    """Compare two models on one split of one task."""
    kind = sample_a.kind
    if kind != sample_b.kind:
        reason = f"one model predicts this task as {kind}, the other as {sample_b.kind}"
        return [{"metric": name, "method": reason} for name in METRICS[kind]]
    a, b, dropped = _common(sample_a.rows, sample_b.rows)
    said = f"{a['patient_id'].nunique()} common patients, {dropped} dropped"
    differs = (a[OUTCOMES].fillna(-1) != b[OUTCOMES].fillna(-1)).any(axis=1)
    if differs.any():
        first = a.loc[differs, "patient_id"].iloc[0]
        reason = f"outcomes differ between the models, first for patient {first}"
        return [{"metric": name, "method": reason} for name in METRICS[kind]]
    counts = resample_counts(a["patient_id"], bootstraps=bootstraps, seed=seed)
    once = not a["patient_id"].duplicated().any()
    metrics_b = {
        (metric.name, metric.horizon_days): metric
        for metric in task_metrics(replace(sample_b, rows=b))
    }
    records = []
    for of_a in task_metrics(replace(sample_a, rows=a)):
        of_b = metrics_b.get((of_a.name, of_a.horizon_days))
        if of_b is None:
            continue
        record = _delong(a, b) if of_a.name == "auc" and kind == "binary" and once else None
        record = record or _paired_bootstrap(of_a, of_b, counts)
        records.append({"metric": of_a.name, **record, "method": f"{record['method']}; {said}"})
    return records


def _common(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return the rows of patients and folds in both, in one order, and the patients dropped."""
    key = ["patient_id", "fold"]
    a, b = a.set_index(key).sort_index(), b.set_index(key).sort_index()
    both = a.index.intersection(b.index)
    everybody = set(a.index.get_level_values(0)) | set(b.index.get_level_values(0))
    dropped = len(everybody - set(both.get_level_values(0)))
    return a.loc[both].reset_index(), b.loc[both].reset_index(), dropped


def _delong(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, object] | None:
    try:
        difference, low, high, p = delong_difference(
            a["label"], a["probability"], b["probability"], strata=a["fold"]
        )
    except NotComputableError:
        return None
    return _record(difference, low, high, p, "delong")


def _paired_bootstrap(a: TaskMetric, b: TaskMetric, counts: Counts) -> dict[str, object]:
    rows = counts.shape[1]
    difference = point_value(a.statistic, rows) - point_value(b.statistic, rows)
    if not np.isfinite(difference):
        return {"method": a.why_not or b.why_not}
    differences = a.statistic(counts) - b.statistic(counts)
    low, high = percentile_interval(differences)
    return _record(difference, low, high, two_sided_p(differences), "paired_bootstrap")


def _record(difference: float, low: float, high: float, p: float, method: str) -> dict[str, object]:
    return {"difference": difference, "ci_low": low, "ci_high": high, "p": p, "method": method}

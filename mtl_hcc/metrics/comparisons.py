"""Which of two models is better on the same patients: DeLong for AUC, else paired bootstrap."""

from itertools import combinations

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts, two_sided_p
from mtl_hcc.metrics.delong import delong_difference
from mtl_hcc.metrics.predictions import TaskKind, check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.statistic import Counts, NotComputableError, point_value
from mtl_hcc.metrics.task_metrics import METRICS, TaskMetric, task_metrics
from mtl_hcc.metrics.thresholds import Threshold, with_threshold

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
    for (split, task), rows in table.groupby(["split", "task"], sort=False):
        models = {str(model): of_model for model, of_model in rows.groupby("model", sort=False)}
        kinds = {model: task_kind(of_model) for model, of_model in models.items()}
        for a, b in combinations(models, 2):
            place = {"split": split, "task": task, "model_a": a, "model_b": b}
            pair = _compare(models[a], models[b], kinds[a], kinds[b], bootstraps, seed)
            records += [{**place, **record} for record in pair]
    return pd.DataFrame(records, columns=COMPARISON_COLUMNS)


def _compare(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    kind_a: TaskKind,
    kind_b: TaskKind,
    bootstraps: int,
    seed: int,
) -> list[dict[str, object]]:
    """Compare two models on one split of one task."""
    if kind_a != kind_b:
        reason = f"one model predicts this task as {kind_a}, the other as {kind_b}"
        return [{"metric": name, "method": reason} for name in METRICS[kind_a]]
    a, b, dropped = _common(with_outcome(rows_a, kind_a), with_outcome(rows_b, kind_a))
    said = f"{a['patient_id'].nunique()} common patients, {dropped} dropped"
    differs = (a[OUTCOMES].fillna(-1) != b[OUTCOMES].fillna(-1)).any(axis=1)
    if differs.any():
        first = a.loc[differs, "patient_id"].iloc[0]
        reason = f"outcomes differ between the models, first for patient {first}"
        return [{"metric": name, "method": reason} for name in METRICS[kind_a]]
    counts = resample_counts(a["patient_id"], bootstraps=bootstraps, seed=seed)
    once = not a["patient_id"].duplicated().any()
    records = []
    for of_a, of_b in zip(task_metrics(a, kind_a), task_metrics(b, kind_a), strict=True):
        record = _delong(a, b) if of_a.name == "auc" and kind_a == "binary" and once else None
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

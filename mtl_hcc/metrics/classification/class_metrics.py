"""Which metrics a classification task gets, each with what has to be said about it."""

import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.classification.class_statistics import (
    PROPORTIONS,
    WHY_NOT,
    binary_statistics,
    confusion,
    multiclass_statistics,
)
from mtl_hcc.metrics.classification.delong import delong_interval
from mtl_hcc.metrics.classification.proportions import wilson_interval
from mtl_hcc.metrics.predictions import class_columns
from mtl_hcc.metrics.statistic import FloatArray, NotComputableError, Statistic
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, fold_notes, no_value

BINARY = (
    "auc",
    "average_precision",
    "f1",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
)
MULTICLASS = ("auc", "average_precision", "f1", "accuracy", "balanced_accuracy", "kappa")
"""Names in the order of ``metrics.csv``; each class k adds its own ``auc_<k>``."""
WITHOUT_THRESHOLD = ("auc", "average_precision")


def binary_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of a two-class task at its threshold, and the AUC."""
    rows = sample.rows
    threshold = rows["threshold"]
    predicted = (rows["probability"] >= threshold).to_numpy()
    statistics = binary_statistics(
        rows["label"], rows["probability"], predicted, strata=rows["fold"]
    )
    once = not rows["patient_id"].duplicated().any()
    chosen = _threshold_note(rows)
    metrics = []
    for name in BINARY:
        interval = None
        notes: tuple[str, ...] = fold_notes(rows)
        if name == "auc":
            interval = _delong(rows["label"], rows["probability"], rows["fold"]) if once else None
        elif name not in WITHOUT_THRESHOLD:
            notes = (chosen,)
            if name in PROPORTIONS and once:
                interval = _wilson(name, confusion(rows["label"], predicted).sum(axis=0))
        reason = WHY_NOT.get(name, "")
        if name not in WITHOUT_THRESHOLD and threshold.isna().any():
            reason, statistics[name] = (
                "no threshold: no labeled training rows of both classes",
                no_value,
            )
        metrics.append(TaskMetric(name, statistics[name], reason, notes, interval))
    return metrics


def _threshold_note(rows: pd.DataFrame) -> str:
    values = ", ".join(f"{value:.4g}" for value in rows["threshold"].drop_duplicates())
    return f"threshold {values}"


def _delong(
    label: npt.ArrayLike, score: npt.ArrayLike, fold: npt.ArrayLike
) -> tuple[float, float, str] | None:
    try:
        low, high = delong_interval(label, score, strata=fold)
    except NotComputableError:
        return None
    return low, high, "delong"


def _wilson(name: str, cells: FloatArray) -> tuple[float, float, str] | None:
    hits, all_cells = PROPORTIONS[name]
    number = float(cells[list(all_cells)].sum())
    if number == 0:
        return None
    return *wilson_interval(float(cells[list(hits)].sum()), number), "wilson"


def multiclass_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of a task with more than two classes."""
    rows = sample.rows
    columns = class_columns(rows)
    statistics = multiclass_statistics(rows["label"], rows[columns], strata=rows["fold"])
    decision = "most probable class"
    notes = {
        "auc": ("macro mean of one-versus-rest", *fold_notes(rows)),
        "average_precision": ("macro mean of one-versus-rest", *fold_notes(rows)),
        "f1": (decision, "macro mean"),
        "accuracy": (decision,),
        "balanced_accuracy": (decision, "mean sensitivity"),
        "kappa": (decision, "quadratic weights"),
    }
    absent = "a class is absent among the labels"
    reasons = {"kappa": "one class among labels and decisions"}
    metrics = [
        TaskMetric(name, statistics[name], reasons.get(name, absent), notes[name])
        for name in MULTICLASS
    ]
    return metrics + [
        _one_class(rows, k, column, statistics[f"auc_{k}"]) for k, column in enumerate(columns)
    ]


def _one_class(rows: pd.DataFrame, k: int, column: str, statistic: Statistic) -> TaskMetric:
    """Return the AUC of one class against the others."""
    is_class, score = rows["label"] == k, rows[column]
    once = not rows["patient_id"].duplicated().any()
    interval = _delong(is_class, score, rows["fold"]) if once else None
    notes = (f"class {k} against the others", *fold_notes(rows))
    return TaskMetric(f"auc_{k}", statistic, WHY_NOT["auc"], notes, interval)

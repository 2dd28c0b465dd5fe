"""Which metrics a classification task gets, each with what has to be said about it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.agreement.kappa import kappa_statistic
from mtl_hcc.metrics.bootstrap import BoolArray, Counts, FloatArray, NotComputableError, Statistic
from mtl_hcc.metrics.classification.auc import ONE_CLASS, auc_statistic, delong_interval
from mtl_hcc.metrics.classification.average_precision import (
    NO_POSITIVE,
    average_precision_statistic,
)
from mtl_hcc.metrics.classification.confusion_counts import PROPORTIONS, confusion, wilson_interval
from mtl_hcc.metrics.predictions import class_columns
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
WHY_NOT = {
    "auc": ONE_CLASS,
    "average_precision": NO_POSITIVE,
    "balanced_accuracy": "a class is absent among the labels",
    "sensitivity": "no positive patient",
    "specificity": "no negative patient",
    "ppv": "no patient is predicted positive",
    "npv": "no patient is predicted negative",
    "f1": "no patient is positive or predicted positive",
}


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


def binary_statistics(
    label: npt.ArrayLike,
    probability: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> dict[str, Statistic]:
    """Return the metrics of a two-class task as functions of counts.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Probability of the positive class.
        predicted: (patient,) Whether the patient is called positive.
        strata: (patient,) Fold, for AUC and average precision.
    """
    cells = confusion(label, predicted)
    statistics = {
        "auc": auc_statistic(label, probability, strata=strata),
        "average_precision": average_precision_statistic(label, probability, strata=strata),
    }
    statistics["f1"] = _ratio(cells @ [2.0, 0, 0, 0], cells @ [2.0, 1, 0, 1])
    for name, (hits, all_cells) in PROPORTIONS.items():
        statistics[name] = _ratio(
            cells[:, list(hits)].sum(axis=1), cells[:, list(all_cells)].sum(axis=1)
        )
    sensitivity, specificity = statistics["sensitivity"], statistics["specificity"]
    statistics["balanced_accuracy"] = lambda counts: (sensitivity(counts) + specificity(counts)) / 2
    return statistics


def multiclass_statistics(
    label: npt.ArrayLike, probabilities: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> dict[str, Statistic]:
    """Return the metrics of a task with K classes as functions of counts.

    The class with the highest probability is the decision. The AUC is the mean of the K
    one-versus-rest AUCs (``auc_<k>``: that of class k alone), average precision and F1 are means
    over classes too (macro), balanced accuracy is the mean sensitivity; each is undefined when a
    class is absent. Kappa has quadratic weights: the classes are ordered (M0, M1, M2).

    Args:
        label: (patient,) 0..K-1.
        probabilities: (patient, K).
        strata: (patient,) Fold, for AUC and average precision.
    """
    labels, scores = np.asarray(label), np.asarray(probabilities, dtype=np.float64)
    predicted = scores.argmax(axis=1)
    right: BoolArray = labels == predicted
    classes = range(scores.shape[1])
    single_auc = [auc_statistic(labels == k, scores[:, k], strata=strata) for k in classes]
    single_ap = [
        average_precision_statistic(labels == k, scores[:, k], strata=strata) for k in classes
    ]
    cells = [confusion(labels == k, predicted == k) for k in classes]
    single_f1 = [_ratio(cell @ [2.0, 0, 0, 0], cell @ [2.0, 1, 0, 1]) for cell in cells]
    recall = [_ratio(cell[:, 0], cell @ [1.0, 0, 0, 1]) for cell in cells]
    return {
        "auc": _mean(single_auc),
        **{f"auc_{k}": single_auc[k] for k in classes},
        "average_precision": _mean(single_ap),
        "f1": _mean(single_f1),
        "accuracy": _ratio(right.astype(np.float64), np.ones(len(labels))),
        "balanced_accuracy": _mean(recall),
        "kappa": kappa_statistic(labels, predicted, classes=scores.shape[1], weights="quadratic"),
    }


def _ratio(numerator: FloatArray, denominator: FloatArray) -> Statistic:
    """Ratio of two sums of whole numbers over patients, NaN where the denominator is empty."""
    # float32 holds whole numbers up to 16 million exactly.
    parts = np.stack([numerator, denominator], axis=1).astype(np.float32)

    def ratio(counts: Counts) -> FloatArray:
        sums = (counts @ parts).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            values: FloatArray = sums[:, 0] / sums[:, 1]
        return values

    return ratio


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    def mean(counts: Counts) -> FloatArray:
        values: FloatArray = np.mean([statistic(counts) for statistic in statistics], axis=0)
        return values

    return mean

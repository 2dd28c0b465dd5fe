"""Which metrics a task gets, each with what has to be said about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.metrics.classification import (
    PROPORTIONS,
    WHY_NOT,
    binary_statistics,
    confusion,
    multiclass_statistics,
)
from mtl_hcc.metrics.concordance import concordance_statistic, why_not_concordance
from mtl_hcc.metrics.delong import delong_interval
from mtl_hcc.metrics.predictions import TaskKind, class_columns
from mtl_hcc.metrics.proportions import wilson_interval
from mtl_hcc.metrics.statistic import Counts, FloatArray, NotComputableError, Statistic

METRICS: dict[TaskKind, tuple[str, ...]] = {
    "survival": ("concordance_harrell",),
    "binary": (
        "auc",
        "f1",
        "accuracy",
        "balanced_accuracy",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
    ),
    "multiclass": ("auc", "f1", "accuracy", "balanced_accuracy"),
}
"""Names in the order of ``metrics.csv``."""


@dataclass(frozen=True)
class TaskMetric:
    """One metric of one task on one set of rows.

    Attributes:
        name: As in ``metrics.csv``.
        statistic: The metric as a function of the counts of the rows.
        why_not: The reason to give when it has no value.
        notes: What has to be said about how it is computed.
        interval: Ends of an exact interval and its name; ``None`` = bootstrap.
        horizon_days: For metrics at a horizon.
        value: The value by the library that the field cites; ``None`` = by ``statistic``, which
            also serves the resamples.
    """

    name: str
    statistic: Statistic
    why_not: str
    notes: Sequence[str] = ()
    interval: tuple[float, float, str] | None = None
    horizon_days: float | None = None
    value: float | None = None


def task_metrics(rows: pd.DataFrame, kind: TaskKind) -> list[TaskMetric]:
    """Return the metrics of one task on rows whose outcome is known.

    Args:
        rows: Rows of one model and task, each patient once per fold. Two-class tasks bring the
            column ``threshold``: positive at or above it, NaN where there is none.
        kind: Of the task; the rows may be none.
    """
    if rows.empty:
        return [TaskMetric(name, _no, "no patient with a known outcome") for name in METRICS[kind]]
    if kind == "survival":
        return _survival_metrics(rows)
    return _binary_metrics(rows) if kind == "binary" else _multiclass_metrics(rows)


def _fold_notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Scores of different folds come from different models: their pairs are not compared."""
    return ("pairs within a fold",) if rows["fold"].nunique() > 1 else ()


def _survival_metrics(rows: pd.DataFrame) -> list[TaskMetric]:
    statistic = concordance_statistic(
        rows["risk"], rows["time_days"], rows["event"], strata=rows["fold"]
    )
    value = None if rows["fold"].nunique() > 1 else concordance_sksurv(rows)
    return [
        TaskMetric(
            "concordance_harrell",
            statistic,
            why_not_concordance(rows["event"]),
            _fold_notes(rows),
            value=value,
        )
    ]


def concordance_sksurv(rows: pd.DataFrame) -> float | None:
    """Return scikit-survival's C-index, which the published studies cite; ``None`` without pairs.

    Args:
        rows: ``risk, time_days, event`` of one model.
    """
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    event = rows["event"].to_numpy(dtype=bool)
    if not event.any() or len(rows) < 2:
        return None
    try:
        found = concordance_index_censored(event, rows["time_days"], rows["risk"])
    except NoComparablePairException:
        return None
    return float(found[0])


def _binary_metrics(rows: pd.DataFrame) -> list[TaskMetric]:
    threshold = rows["threshold"]
    predicted = (rows["probability"] >= threshold).to_numpy()
    statistics = binary_statistics(
        rows["label"], rows["probability"], predicted, strata=rows["fold"]
    )
    once = not rows["patient_id"].duplicated().any()
    chosen = _threshold_note(rows)
    metrics = []
    for name in METRICS["binary"]:
        interval = None
        if name == "auc":
            notes, interval = _fold_notes(rows), _delong(rows) if once else None
        else:
            notes = (chosen,)
            if name in PROPORTIONS and once:
                interval = _wilson(name, confusion(rows["label"], predicted).sum(axis=0))
        reason = WHY_NOT.get(name, "")
        if name != "auc" and threshold.isna().any():
            reason, statistics[name] = "no threshold: no labeled training rows of both classes", _no
        metrics.append(TaskMetric(name, statistics[name], reason, notes, interval))
    return metrics


def _no(counts: Counts) -> FloatArray:
    """Statistic without a value."""
    return np.full(len(counts), np.nan)


def _threshold_note(rows: pd.DataFrame) -> str:
    values = ", ".join(f"{value:.4g}" for value in rows["threshold"].drop_duplicates())
    return f"threshold {values}"


def _delong(rows: pd.DataFrame) -> tuple[float, float, str] | None:
    try:
        low, high = delong_interval(rows["label"], rows["probability"], strata=rows["fold"])
    except NotComputableError:
        return None
    return low, high, "delong"


def _wilson(name: str, cells: FloatArray) -> tuple[float, float, str] | None:
    hits, all_cells = PROPORTIONS[name]
    number = float(cells[list(all_cells)].sum())
    if number == 0:
        return None
    return *wilson_interval(float(cells[list(hits)].sum()), number), "wilson"


def _multiclass_metrics(rows: pd.DataFrame) -> list[TaskMetric]:
    columns = class_columns(rows)
    statistics = multiclass_statistics(rows["label"], rows[columns], strata=rows["fold"])
    decision = "most probable class"
    notes = {
        "auc": ("macro mean of one-versus-rest", *_fold_notes(rows)),
        "f1": (decision, "macro mean"),
        "accuracy": (decision,),
        "balanced_accuracy": (decision, "mean sensitivity"),
    }
    return [
        TaskMetric(name, statistics[name], "a class is absent among the labels", notes[name])
        for name in METRICS["multiclass"]
    ]

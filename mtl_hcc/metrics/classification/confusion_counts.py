"""Who is called what: cells of the confusion matrix, proportions of them, and their counts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import Z_95, FloatArray
from mtl_hcc.metrics.predictions import TaskKind, class_columns, task_kind, with_outcome
from mtl_hcc.metrics.thresholds import with_threshold

CONFUSION_COLUMNS = ["model", "split", "task", "label", "predicted", "n", "share", "decision"]
GRADES = "mvi_grade"
PROPORTIONS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    # metric: cells of (tp, fp, tn, fn) in the numerator, and in the denominator
    "accuracy": ((0, 2), (0, 1, 2, 3)),
    "sensitivity": ((0,), (0, 3)),
    "specificity": ((2,), (1, 2)),
    "ppv": ((0,), (0, 1)),
    "npv": ((2,), (2, 3)),
}


def confusion_counts(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count labels against decisions for every classification task.

    Args:
        predictions: Checked table of predictions. Two classes are cut at its column ``threshold``,
            or at 0.5 without one; with more classes the most probable one is the decision.

    Returns:
        One row per model, split, task, label and predicted class: ``n`` rows with a known label (a
        patient counts once per fold), their ``share`` of the label's rows (NaN without any), and
        the ``decision`` in words.
    """
    table = predictions if "threshold" in predictions else with_threshold(predictions, 0.5)
    records: list[dict[str, object]] = []
    for (model, task), of_task in table.groupby(["model", "task"], sort=False):
        kind = task_kind(of_task)
        if kind == "survival":
            continue
        classes = 2 if kind == "binary" else len(class_columns(of_task))
        for split, rows in of_task.groupby("split", sort=False):
            known = with_outcome(rows, kind)
            place = {"model": model, "split": split, "task": task}
            decided, said = _decisions(known, kind)
            if decided is None:
                continue
            cells = np.zeros((classes, classes), dtype=np.int64)
            np.add.at(cells, (known["label"].to_numpy(dtype=np.int64), decided), 1)
            for label, predicted in np.ndindex(cells.shape):
                number, total = int(cells[label, predicted]), int(cells[label].sum())
                share = number / total if total else float("nan")
                cell = {"label": label, "predicted": predicted, "n": number, "share": share}
                records.append({**place, **cell, "decision": said})
    return pd.DataFrame(records, columns=CONFUSION_COLUMNS)


def class_names(task: str, classes: int) -> list[str]:
    """Return the names of the classes 0, 1, ... of a task: absent and present, or M0, M1, M2."""
    if classes == 2:
        return ["absent", "present"]
    return [f"M{k}" if task == GRADES else f"class {k}" for k in range(classes)]


def _decisions(rows: pd.DataFrame, kind: TaskKind) -> tuple[npt.NDArray[np.int64] | None, str]:
    """Return the class that each row is put into, and the rule; ``None`` without a threshold."""
    if kind == "multiclass":
        scores = rows[class_columns(rows)].to_numpy(dtype=np.float64)
        decided = scores.argmax(axis=1) if len(rows) else np.zeros(0, dtype=np.int64)
        return decided.astype(np.int64), "most probable class"
    if rows["threshold"].isna().any():
        return None, ""
    cuts = sorted(rows["threshold"].unique())
    if not cuts:
        return np.zeros(0, dtype=np.int64), "no patient with a known label"
    said = f"{cuts[0]:.3g}" if len(cuts) < 2 else f"{cuts[0]:.3g} to {cuts[-1]:.3g} by fold"
    above = (rows["probability"] >= rows["threshold"]).to_numpy()
    return above.astype(np.int64), f"threshold {said}"


def confusion(label: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Return the confusion cells tp, fp, tn, fn of every patient: (patient, 4), one-hot."""
    positive, called = np.asarray(label) == 1, np.asarray(predicted, dtype=bool)
    cells = [positive & called, ~positive & called, ~positive & ~called, positive & ~called]
    return np.stack(cells, axis=1).astype(np.float64)


def wilson_interval(hits: float, number: float) -> tuple[float, float]:
    """Return Wilson's score interval of ``hits / number``, without continuity correction.

    Equal to R's ``prop.test(..., correct = FALSE)``. Wilson, JASA 1927;22:209-212.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    z = Z_95
    share = hits / number
    center = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = (z / (1 + z**2 / number)) * (
        share * (1 - share) / number + z**2 / (4 * number**2)
    ) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)

"""Who is called what: how many patients of each class were put into each class."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.predictions import TaskKind, class_columns, task_kind, with_outcome
from mtl_hcc.metrics.thresholds import with_threshold

CONFUSION_COLUMNS = ["model", "split", "task", "label", "predicted", "n", "share", "decision"]
GRADES = "mvi_grade"


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

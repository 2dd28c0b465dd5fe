"""How many are found at what false alarm rate? ROC curves of the two-class tasks."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.figures.canvas import empty_figure, in_split_order, note, plain_axes, split_color
from mtl_hcc.metrics.classification.class_statistics import auc
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.statistic import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def roc(predictions: pd.DataFrame) -> "Figure":
    """Draw a panel per two-class task, a curve per split, with the AUC in the legend.

    With several folds a split's curve pools the probabilities of all folds, and so does its AUC
    (``metrics.csv`` compares within folds).

    Args:
        predictions: Table of predictions of one model (the first, if there are several):
            ``task, split, label, probability``.
    """
    table = check_predictions(predictions)
    table = table[table["model"] == table["model"].iloc[0]]
    by_task = {str(task): rows for task, rows in table.groupby("task", sort=False)}
    by_task = {task: rows for task, rows in by_task.items() if task_kind(rows) == "binary"}
    figure = empty_figure(4.2 * max(1, len(by_task)), 4.2)
    if not by_task:
        note(figure.add_subplot(), "no two-class task among the predictions")
        return figure
    for place, (task, rows) in enumerate(by_task.items()):
        axes = plain_axes(figure.add_subplot(1, len(by_task), place + 1))
        axes.set(title=task.upper(), xlabel="1 - specificity", ylabel="Sensitivity")
        axes.set_aspect("equal")
        _draw_curves(axes, with_outcome(rows, "binary"))
    return figure


def roc_points(label: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return 1 - specificity and sensitivity at every cut-off, from (0, 0) to (1, 1)."""
    positive, scores = np.asarray(label) == 1, np.asarray(probability, dtype=np.float64)
    cuts = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    rates = [
        1 - np.searchsorted(np.sort(scores[group]), cuts) / group.sum()
        for group in (~positive, positive)
    ]
    return rates[0], rates[1]


def _draw_curves(axes: "Axes", rows: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle="--")
    for place, split in enumerate(in_split_order(list(rows["split"].unique()))):
        inside = rows[rows["split"] == split]
        if inside["label"].nunique() < 2:
            axes.plot([], [], " ", label=f"{split}: one class only")
            continue
        false_alarms, found = roc_points(inside["label"], inside["probability"])
        value = auc(inside["label"], inside["probability"])
        text = f"{split}: {value:.3f} (n = {inside['patient_id'].nunique()})"
        axes.plot(false_alarms, found, color=split_color(split, place), label=text)
    axes.legend(title="AUC", loc="lower right", frameon=False, fontsize="small")

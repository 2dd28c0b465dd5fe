"""Who is called what? Confusion matrices of the classification tasks, per split."""

from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.figures.canvas import describe, empty_figure, note
from mtl_hcc.metrics.classification.confusion_counts import class_names, confusion_counts
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.split_names import in_split_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7
DARK = 0.6
"""Share from which a number is written in white."""


def confusion_matrix(predictions: pd.DataFrame) -> "Figure":
    """Draw a row per classification task and a column per split: number and share of each cell.

    Shares, and the shade, are of the patients of the class found (rows add up to 100%).

    Args:
        predictions: Table of predictions; the first model is drawn. A column ``threshold`` is the
            cut-off of two classes (as from ``with_threshold``), without it 0.5 is.
    """
    table = check_predictions(predictions)
    name = str(table["model"].iloc[0])
    counts = confusion_counts(table[table["model"] == name])
    if counts.empty:
        figure = empty_figure(3.6, 3.4)
        note(figure.add_subplot(), "no classification task among the predictions")
        return describe(figure, "No classification task among the predictions.")
    tasks = [str(task) for task in counts["task"].unique()]
    splits = in_split_order([str(split) for split in counts["split"].unique()])
    figure = empty_figure(max(3.2, 2.37 * len(splits)), 2.3 * len(tasks) + 0.1)
    grid = figure.subplots(len(tasks), len(splits), squeeze=False)
    rules = []
    for task, row in zip(tasks, grid, strict=True):
        of_task = counts[counts["task"] == task]
        said = of_task.loc[of_task["n"] > 0, "decision"].unique()
        rules.append(f"{_words(task)}: {', '.join(said) or 'no patient with a known label'}")
        for split, axes in zip(splits, row, strict=True):
            cells = of_task[of_task["split"] == split]
            axes.set_title(f"{_words(task)}, {split} (n = {cells['n'].sum()})", fontsize=SMALL + 1)
            _draw(axes, cells, task)
        row[0].set_ylabel("Found", fontsize=SMALL + 1)
    for axes in grid[-1]:
        axes.set_xlabel("Predicted", fontsize=SMALL + 1)
    several = table["fold"].nunique() > 1
    return describe(
        figure,
        f"Confusion matrices of {name}: number of patients, and their share of the class found. "
        f"Decision: {'; '.join(rules)}." + (" A patient counts once per fold." if several else ""),
    )


def _words(task: str) -> str:
    return task.upper().replace("_", " ")


def _draw(axes: "Axes", cells: pd.DataFrame, task: str) -> None:
    if cells["n"].sum() == 0:
        axes.set(xticks=[], yticks=[])
        note(axes, "no patient with\na known label")
        return
    share = cells.pivot_table(
        index="label", columns="predicted", values="share", dropna=False
    ).to_numpy()
    number = cells.pivot_table(index="label", columns="predicted", values="n").to_numpy()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = class_names(task, len(number))
    axes.set_xticks(range(len(names)), names, fontsize=SMALL)
    axes.set_yticks(range(len(names)), names, fontsize=SMALL, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (found, predicted), part in zip(
        ((i, j) for i in range(len(names)) for j in range(len(names))), share.ravel(), strict=True
    ):
        text = f"{number[found, predicted]:.0f}"
        text += "" if pd.isna(part) else f"\n{part:.0%}"
        color = "white" if part > DARK else "black"
        axes.text(predicted, found, text, ha="center", va="center", fontsize=SMALL + 1, color=color)

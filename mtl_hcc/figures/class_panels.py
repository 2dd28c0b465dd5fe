"""The panels of a figure of two-class tasks: a row per task, a column per split, all models."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import BLUE, describe, empty_figure, note, plain_axes
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.split_names import in_split_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7
OTHER_LINES = ("-", "--", ":", "-.")
"""Gray lines of the other models, in their order."""
DrawPanel = Callable[["Axes", dict[str, pd.DataFrame]], None]
"""Draws the models' rows of one task and split, both classes present in the first."""


def class_panels(
    predictions: pd.DataFrame, draw: DrawPanel, *, axis_names: tuple[str, str], caption: str
) -> "Figure":
    """Draw a panel per two-class task and split.

    Args:
        predictions: Table of predictions of one or more models; the first is the network.
        draw: Draws one panel.
        axis_names: Of x and y.
        caption: With ``{first}`` and ``{others}`` for the models' names.
    """
    table = check_predictions(predictions)
    names = [str(name) for name in table["model"].drop_duplicates()]
    tasks = _two_class_tasks(table)
    if not tasks:
        figure = empty_figure(3.6, 3.4)
        note(figure.add_subplot(), "no two-class task among the predictions")
        return describe(figure, "No two-class task among the predictions.")
    table = table[table["task"].isin(tasks)]
    splits = in_split_order([str(split) for split in table["split"].unique()])
    figure = empty_figure(max(3.6, 2.37 * len(splits)), 2.55 * len(tasks) + 0.2)
    grid = figure.subplots(len(tasks), len(splits), squeeze=False)
    sizes = []
    for task, row in zip(tasks, grid, strict=True):
        for split, axes in zip(splits, row, strict=True):
            inside = table[(table["task"] == task) & (table["split"] == split)]
            rows = {name: with_outcome(inside[inside["model"] == name], "binary") for name in names}
            title = f"{task.upper().replace('_', ' ')}, {split}"
            _prepare(axes, title)
            sizes.append(f"{title}: {_size(rows[names[0]])}")
            if rows[names[0]]["label"].nunique() < 2:
                note(axes, "one class only" if len(rows[names[0]]) else "no patient with\na label")
            else:
                draw(axes, rows)
        row[0].set_ylabel(axis_names[1], fontsize=SMALL + 1)
    for axes in grid[-1]:
        axes.set_xlabel(axis_names[0], fontsize=SMALL + 1)
    _name_models(figure, names)
    others = f"; gray lines: {', '.join(names[1:])}" if len(names) > 1 else ""
    said = caption.format(first=names[0], others=others)
    return describe(figure, f"{said} {'; '.join(sizes)}.")


def others_with_both_classes(rows: dict[str, pd.DataFrame]) -> list[tuple[int, pd.DataFrame]]:
    """Return place and rows of the other models that can be drawn."""
    others = list(rows.values())[1:]
    return [(place, found) for place, found in enumerate(others) if found["label"].nunique() == 2]


def first_style() -> dict[str, Any]:
    """Return how the first model's curve looks."""
    return {"color": BLUE, "linewidth": 1.6}


def other_style(place: int) -> dict[str, Any]:
    """Return how the curve of another model looks."""
    line = OTHER_LINES[place % len(OTHER_LINES)]
    return {"color": "0.55", "linewidth": 0.9, "linestyle": line, "zorder": 1}


def by_fold(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each fold that has both classes: scores of two folds have two scales."""
    folds = [fold for _, fold in rows.groupby("fold", sort=True)]
    return [fold for fold in folds if fold["label"].nunique() == 2]


def _two_class_tasks(table: pd.DataFrame) -> list[str]:
    of_first = table[table["model"] == table["model"].iloc[0]]
    by_task = of_first.groupby("task", sort=False)
    return [str(task) for task, rows in by_task if task_kind(rows) == "binary"]


def _prepare(axes: "Axes", title: str) -> None:
    plain_axes(axes).set_aspect("equal")
    axes.set_title(title, fontsize=SMALL + 1)
    axes.tick_params(labelsize=SMALL)
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _size(rows: pd.DataFrame) -> str:
    patients = rows.drop_duplicates("patient_id")
    return f"{len(patients)} patients, {np.nansum(patients['label']):.0f} positive"


def _name_models(figure: "Figure", names: list[str]) -> None:
    """Name the lines under the figure, if there are several."""
    from matplotlib.lines import Line2D

    if len(names) > 1:
        lines = [Line2D([], [], label=names[0], **first_style())]
        lines += [Line2D([], [], label=name, **other_style(k)) for k, name in enumerate(names[1:])]
        figure.legend(
            handles=lines, loc="outside lower center", ncols=5, fontsize=SMALL, frameon=False
        )

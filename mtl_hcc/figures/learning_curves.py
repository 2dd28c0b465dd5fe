"""Did the training converge, and did it overfit? Losses, metrics and task weights by epoch."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.figures.canvas import OKABE_ITO, empty_figure, note, plain_axes, split_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS = ("train", "validation")
WEIGHTS = "weights"
PANELS_PER_ROW = 4
WORDS = {"loss": "Loss", "c_index": "C-index", "auc": "AUC", "f1": "F1"}


def learning_curves(history: pd.DataFrame) -> "Figure":
    """Draw a panel per quantity (train and validation together) and one of the task weights.

    Args:
        history: ``history.csv``: ``epoch`` and columns ``<split>/<quantity>`` such as
            ``train/loss_os`` or ``validation/c_index_os``, and ``weights/<task>``. Several folds
            may follow each other: where an epoch repeats, its mean is drawn.
    """
    epochs = history.groupby("epoch").mean(numeric_only=True) if "epoch" in history else history
    panels = _panels([str(name) for name in epochs])
    rows = max(1, math.ceil(len(panels) / PANELS_PER_ROW))
    columns = min(PANELS_PER_ROW, max(1, len(panels)))
    figure = empty_figure(3.2 * columns, 2.6 * rows)
    if not panels:
        note(figure.add_subplot(), "no losses or metrics in the history")
    for place, (title, lines) in enumerate(panels.items()):
        axes = plain_axes(figure.add_subplot(rows, columns, place + 1))
        axes.set(title=title, xlabel="Epoch")
        _draw_lines(axes, epochs, lines)
    return figure


def _panels(columns: list[str]) -> dict[str, dict[str, str]]:
    """Return title -> label -> column: losses first, then metrics, then the task weights."""
    panels: dict[str, dict[str, str]] = {}
    for kind in WORDS:
        for column in sorted(columns):
            split, _, quantity = column.partition("/")
            if split in SPLITS and (quantity == kind or quantity.startswith(f"{kind}_")):
                panels.setdefault(_title(kind, quantity), {})[split] = column
    weights = {
        column.partition("/")[2]: column for column in columns if column.startswith(f"{WEIGHTS}/")
    }
    return panels | ({"Task weights": weights} if weights else {})


def _title(kind: str, quantity: str) -> str:
    task = quantity.removeprefix(kind).strip("_").upper().replace("_", " ")
    return f"{WORDS[kind]} {task}" if task else WORDS[kind]


def _draw_lines(axes: "Axes", epochs: pd.DataFrame, lines: dict[str, str]) -> None:
    for place, (label, column) in enumerate(lines.items()):
        values = epochs[column].dropna()
        color = split_color(label, place) if label in SPLITS else OKABE_ITO[place % 8]
        marker = "." if len(values) < 2 else ""
        axes.plot(values.index, values, color=color, label=label, marker=marker)
    axes.legend(frameon=False, fontsize="small")

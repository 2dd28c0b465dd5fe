"""Did the training converge, and did it overfit? Losses, metrics and task weights by epoch."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.figures.canvas import (
    OKABE_ITO,
    describe,
    empty_figure,
    note,
    plain_axes,
    split_color,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS = ("train", "validation")
WEIGHTS = "weights"
KEPT, LOSS = "validation/kept_epoch", "validation/loss"
"""The epoch that is kept so far; where it was not logged, that in which the loss is lowest."""
WIDTH = 7.1
"""Inches: the full width of a journal's page."""
PANELS_PER_ROW = 4
WORDS = {"loss": "Loss", "criterion": "Criterion", "c_index": "C-index", "auc": "AUC", "f1": "F1"}


def learning_curves(history: pd.DataFrame) -> "Figure":
    """Draw a panel per quantity (train and validation together) and one of the task weights.

    Args:
        history: ``history.csv``: ``epoch`` and columns ``<split>/<quantity>`` such as
            ``train/loss_os`` or ``validation/c_index_os``, and ``weights/<task>``. Several folds
            may follow each other: where an epoch repeats, its mean is drawn.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = history.groupby("epoch").mean(numeric_only=True) if "epoch" in history else history
    panels = _panels([str(name) for name in epochs])
    rows = max(1, math.ceil(len(panels) / PANELS_PER_ROW))
    columns = min(PANELS_PER_ROW, max(1, len(panels)))
    figure = empty_figure(WIDTH, 1.55 * rows + 0.3)
    if not panels:
        note(figure.add_subplot(), "no losses or metrics in the history")
        return describe(figure, "Learning curves: no losses or metrics in the history.")
    kept = _kept_epochs(history)
    handles: dict[str, Artist] = {}
    for place, (title, lines) in enumerate(panels.items()):
        axes = plain_axes(figure.add_subplot(rows, columns, place + 1))
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if place + columns >= len(panels):
            axes.set_xlabel("Epoch", fontsize=8)
        _draw_lines(axes, epochs, lines)
        if len(kept) == 1:
            axes.axvline(kept[0], color="0.6", linewidth=0.8, linestyle=":")
        named = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        if set(named) <= set(SPLITS):
            handles |= named
        else:
            room = {"loc": "upper left", "bbox_to_anchor": (1.05, 1)}
            beside = axes.legend(
                frameon=False,
                fontsize=7,
                handlelength=1,
                **(room if place + 1 < rows * columns else {}),
            )
            beside.set_in_layout(False)
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper center", ncols=2,
        frameon=False, fontsize=8,
    )  # fmt: skip
    return describe(figure, _caption(history, kept))


def _kept_epochs(history: pd.DataFrame) -> list[int]:
    """Return the epoch that is kept of each network of which it is known."""
    name = KEPT if KEPT in history else LOSS
    if not {"epoch", name} <= set(history):
        return []
    known = history[history[name].notna()]
    groups = known.groupby(_networks(known))
    # A history of folds without the column: which epoch belongs to which is not known.
    if known["epoch"].duplicated().any() and not {"fold", "seed"} & set(history):
        return []
    rows = groups["epoch"].idxmax() if name == KEPT else groups[LOSS].idxmin()
    return [int(epoch) for epoch in known.loc[rows, KEPT if name == KEPT else "epoch"]]


def _networks(history: pd.DataFrame) -> pd.Series:
    """Return the number of the network of each row: those of a fold and of a seed differ."""
    parts = [name for name in ("fold", "seed") if name in history]
    return history.assign(all=0).groupby(["all", *parts]).ngroup()


def _caption(history: pd.DataFrame, kept: list[int]) -> str:
    last = int(history["epoch"].max()) + 1 if "epoch" in history else len(history)
    folds = history["fold"].nunique() if "fold" in history else 1
    networks = _networks(history).nunique()
    if networks > folds:
        said = (
            f"{networks} networks ({networks // folds} seeds of each fold), up to {last} epochs; "
        )
        said += "mean of those that were still training"
    elif folds > 1:
        said = f"{folds} folds, up to {last} epochs; mean of the folds that were still training"
    else:
        said = f"{last} epochs"
    lowest = KEPT not in history
    if len(kept) == 1:
        why = "whose validation loss is lowest and which" if lowest else "which"
        said += f"; dotted: epoch {kept[0]}, {why} is kept"
    elif kept:
        each = "network" if networks > folds else "fold"
        why = " (lowest validation loss)" if lowest else ""
        said += f"; kept of each {each}: epoch {', '.join(map(str, kept))}{why}"
    return f"Learning curves: {said}. Losses before weighting; task weights of each epoch."


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
        axes.plot(values.index, values, color=color, label=label, marker=marker, linewidth=1.2)

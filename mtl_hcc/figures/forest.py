"""How a forest plot is drawn: a line per estimate, its numbers beside it, a pooled diamond."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mtl_hcc.figures.canvas import BLACK, BLUE, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.1
"""Inches: two columns of a journal."""
FONT = 7.5
ROW_HEIGHT = 0.2
"""Inches of one line."""
MARGIN_HEIGHT = 0.5
"""Inches of a panel's axis."""
LONGEST = 56
"""Characters of a label."""
RowKind = Literal["estimate", "pooled", "prediction", "heading"]


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot.

    Attributes:
        label: At the left.
        left: Columns after the label, e.g. n and events.
        right: At the right: the value in words, or why there is none.
        value, low, high: NaN draws nothing.
        weight: Share of the pooled value, the size of the square.
        kind: Of line: ``pooled`` draws a diamond, ``prediction`` a line without a mark, ``heading``
            a bold label.
    """

    label: str
    left: tuple[str, ...] = ()
    right: str = ""
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    weight: float = 0.3
    kind: RowKind = "estimate"


@dataclass(frozen=True)
class ForestColumns:
    """Where things stand, as shares of the figure's width.

    Attributes:
        heads: Of label, left columns and right column.
        at: Places of the same: the first and the last start there, the others end there.
        plot: Where the plot begins and ends.
    """

    heads: tuple[str, ...]
    at: tuple[float, ...]
    plot: tuple[float, float]


def forest_panels(
    panels: Sequence[Sequence[ForestRow]], columns: ForestColumns
) -> "tuple[Figure, list[Axes]]":
    """Return a figure with an empty plot per panel, one below the other.

    Args:
        panels: The rows of each panel.
        columns: Where the plots stand.
    """
    inches = [MARGIN_HEIGHT + ROW_HEIGHT * (len(rows) + 2) for rows in panels]
    figure = empty_figure(WIDTH, sum(inches))
    figure.set_layout_engine("none")  # the plots must stand where the columns leave room
    top, placed = sum(inches), []
    for height in inches:
        bottom = (top - height + MARGIN_HEIGHT) / sum(inches)
        share = (height - MARGIN_HEIGHT) / sum(inches)
        start, end = columns.plot
        placed.append(figure.add_axes((start, bottom, end - start, share)))
        top -= height
    return figure, placed


def draw_forest(
    axes: "Axes", rows: Sequence[ForestRow], columns: ForestColumns, *, reference: float
) -> None:
    """Draw the rows from top to bottom.

    Args:
        axes: With its limits and scale set; ends beyond them become arrows.
        rows: The lines.
        columns: Where the texts stand.
        reference: Value of no effect, a dashed line.
    """
    axes.set_ylim(-len(rows) + 0.4, 1.6)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=FONT)
    axes.plot([reference] * 2, [-len(rows) + 0.4, 0.6], color="0.6", linewidth=0.8, linestyle="--")
    _texts(axes, 1.0, columns.heads, columns.at, bold=True)
    for place, row in enumerate(rows):
        texts = [row.label, *(row.left or [""] * (len(columns.at) - 2)), row.right]
        _texts(axes, -place, texts, columns.at, bold=row.kind in ("heading", "pooled"))
        if np.isfinite([row.value, row.low, row.high]).all():
            _mark(axes, -place, row)


def _texts(
    axes: "Axes", height: float, texts: Sequence[str], at: Sequence[float], *, bold: bool
) -> None:
    from matplotlib.transforms import blended_transform_factory

    last = len(texts) - 1
    in_figure = axes.figure.transFigure
    for number, (text, place) in enumerate(zip(texts, at, strict=True)):
        axes.text(
            place, height, text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…",
            transform=blended_transform_factory(in_figure, axes.transData),
            ha="left" if number in (0, last) else "right",
            va="center",
            size=FONT,
            weight="bold" if bold else "normal",
        )  # fmt: skip


def _mark(axes: "Axes", height: float, row: ForestRow) -> None:
    left, right = axes.get_xlim()
    low, high = max(row.low, left), min(row.high, right)
    if row.kind == "pooled":
        corners = [(low, height), (row.value, height + 0.32), (high, height)]
        axes.fill(*zip(*corners, (row.value, height - 0.32), strict=True), color=VERMILION)
        return
    color = VERMILION if row.kind == "prediction" else BLACK
    axes.plot([low, high], [height, height], color=color, linewidth=1.1, solid_capstyle="butt")
    for end, limit, marker in ((row.low, left, "<"), (row.high, right, ">")):
        if (end < limit) if marker == "<" else (end > limit):
            axes.plot(limit, height, marker, color=color, markersize=4, clip_on=False)
    if row.kind == "estimate" and left <= row.value <= right:
        size = 3 + 6 * np.sqrt(row.weight)
        axes.plot(row.value, height, "s", color=BLUE, markersize=float(size))

"""What all figures of risk groups share: colors, a panel per task and split, numbers at risk."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import BLUE, VERMILION, empty_figure, note, plain_axes
from mtl_hcc.metrics.survival.product_limit import number_at_risk
from mtl_hcc.tables.printed_numbers import p_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS_PER_YEAR = 365.25
GROUPS = (("low risk", False, BLUE), ("high risk", True, VERMILION))
"""Name, whether ``high``, and color of each group."""
SMALL = 7
LETTERS_PER_INCH = 18
"""Of a legend's title, about."""
BAND = 0.15
"""Opacity of the bands."""
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
"""Box behind a text, so that it is read over curves."""


def panel_grid(rows: int, columns: int) -> "tuple[Figure, list[list[tuple[Axes, Axes]]]]":
    """Return a figure at journal width and, by row and column, a panel with the one below it."""
    figure = empty_figure(max(3.6, 2.37 * columns), 2.75 * rows + 0.35)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[4.2, 1] * rows)
    panels = []
    for row in range(rows):
        line = []
        for column in range(columns):
            curves = plain_axes(figure.add_subplot(grid[2 * row, column]))
            curves.set_ylim(0, 1.02)
            curves.tick_params(labelbottom=False, labelsize=SMALL)
            counts = figure.add_subplot(grid[2 * row + 1, column], sharex=curves)
            line.append((curves, counts))
        panels.append(line)
    return figure, panels


def lone_note(text: str) -> "Figure":
    """Return a small figure that says why there is nothing to draw."""
    figure = empty_figure(3.6, 2.4)
    axes = figure.add_subplot()
    axes.set_axis_off()
    note(axes, text)
    return figure


def legend_above(figure: "Figure", axes: "Axes", title: str) -> None:
    """Name the lines of one panel above all panels."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        wrapped = textwrap.fill(title, round(LETTERS_PER_INCH * figure.get_figwidth()))
        figure.legend(
            handles, names, title=wrapped, loc="outside upper center", ncols=4, frameon=False,
            fontsize=SMALL + 1, title_fontsize=SMALL + 1,
        )  # fmt: skip


def draw_numbers_at_risk(axes: "Axes", rows: pd.DataFrame) -> None:
    """Write the number at risk at each whole year (at most six) under the curves.

    Args:
        axes: The panel below the curves, sharing their x-axis in years.
        rows: ``time_days, high``.
    """
    last = 1 if rows.empty else max(1, int(rows["time_days"].max() / DAYS_PER_YEAR))
    years = np.arange(0, last + 1, max(1, int(np.ceil(last / 5))))
    axes.set_xticks(years)
    axes.set_xlabel("Years", fontsize=SMALL + 1)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], [name.removesuffix(" risk") for name, _, _ in GROUPS])
    axes.set_title("Number at risk", loc="left", fontsize=SMALL, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False, labelsize=SMALL)
    for height, (_, is_high, color) in zip((1, 0), GROUPS, strict=True):
        days = rows.loc[rows["high"] == is_high, "time_days"]
        for year, number in zip(years, number_at_risk(days, years * DAYS_PER_YEAR), strict=True):
            axes.text(
                float(year), height, str(number), color=color, ha="center", va="center", size=SMALL
            )


def p_equation(p: float) -> str:
    """Return e.g. ``p = 0.034`` or ``p < 0.001``."""
    text = p_text(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"

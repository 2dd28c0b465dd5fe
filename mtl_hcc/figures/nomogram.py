"""A regression model as a nomogram: points of each covariate, and what their sum predicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.figures.canvas import BLACK, BLUE, VERMILION, describe, empty_figure, note
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.tables.nomogram_points import MOST_POINTS, Nomogram, round_values
from mtl_hcc.tables.outcome_nomograms import outcome_nomogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.1
ROW_HEIGHT = 0.42
FONT = 7.5
CHARACTER = 0.0125
"""Width of a letter as a share of the 100 points."""
HEIGHTS = (0.12, -0.12, 0.42)
"""Where a label may stand: above its line, below, or above the others."""


def nomogram_mvi(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> "Figure":
    """Draw the nomogram of MVI: clinical variables and the network.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions; the first model is the network.
        models: Where each was fitted, if that is known.
    """
    return _of_outcome(patients, predictions, "mvi", models)


def nomogram_os(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> "Figure":
    """Draw the nomogram of overall survival: clinical variables and the network.

    Args: see :func:`nomogram_mvi`.
    """
    return _of_outcome(patients, predictions, "os", models)


def draw_nomogram(nomogram: Nomogram) -> "Figure":
    """Draw any nomogram: points, a line per covariate, total points, a line per prediction."""
    height = ROW_HEIGHT * (len(nomogram.axes) + len(nomogram.outputs) + 2) + 0.2
    figure = empty_figure(WIDTH, height)
    lines = 2 + len(nomogram.axes) + len(nomogram.outputs)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.36, 1.03), ylim=(-lines + 0.35, 0.65))
    axes.set_axis_off()
    tens = [float(ten) for ten in range(0, 101, 10)]
    _line(axes, 0, "Points", tens, [f"{ten:g}" for ten in tens], MOST_POINTS, BLACK)
    for row, axis in enumerate(nomogram.axes, start=1):
        _line(axes, row, axis.name, nomogram.points(axis), axis.labels, MOST_POINTS, BLUE)
    row = len(nomogram.axes) + 1
    totals = round_values(0.0, nomogram.most_points)
    reach = max(totals)
    _line(axes, row, "Total points", totals, [f"{t:g}" for t in totals], reach, BLACK)
    for place, output in enumerate(nomogram.outputs, start=row + 1):
        marks = nomogram.output_axis(output)
        _line(axes, place, output, list(marks.values()), list(marks), reach, VERMILION)
    return figure


def _of_outcome(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None,
    task: str,
    models: pd.DataFrame | None,
) -> "Figure":
    try:
        nomogram, said = outcome_nomogram(patients, predictions, task, models)
    except NotComputableError as error:
        figure = empty_figure(WIDTH, 1.5)
        axes = figure.add_subplot()
        axes.set_axis_off()
        reason = f"No nomogram of {readable_name(task)}: {error}"
        note(axes, reason)
        return describe(figure, f"{reason}.")
    return describe(draw_nomogram(nomogram), said)


def _line(
    axes: "Axes",
    row: int,
    name: str,
    places: Sequence[float],
    labels: Sequence[str],
    reach: float,
    color: str,
) -> None:
    """Draw one axis with its marks; crowded labels take turns on three heights, or stay out."""
    axes.text(-0.02, -row, name, ha="right", va="center", size=FONT, wrap=True)
    if not places:
        axes.text(0.5, -row, "beyond the reach of the points", ha="center", va="center", size=FONT)
        return
    at = [place / reach for place in places]
    axes.plot([min(at), max(at)], [-row, -row], color=color, linewidth=1.2)
    marks = sorted(zip(at, labels, strict=True))
    taken: list[tuple[float, float, float]] = []  # height, from, to
    # Both ends first: of a short axis they say its range; what finds no place is in the table.
    for x, label in [marks[0], *marks[:0:-1][:1], *marks[1:-1]]:
        half = CHARACTER * (len(label) + 1) / 2
        middle = max(x, half) if len(label) > 6 else x  # long labels must not run into the name
        free = [h for h in HEIGHTS if _is_free(taken, h, middle - half, middle + half)]
        if not free:
            continue
        taken.append((free[0], middle - half, middle + half))
        axes.plot([x, x], [-row, -row + 0.7 * free[0]], color=color, linewidth=0.9)
        vertical = "top" if free[0] < 0 else "bottom"
        axes.text(middle, -row + free[0], label, ha="center", va=vertical, size=FONT - 0.5)


def _is_free(
    taken: Sequence[tuple[float, float, float]], height: float, left: float, right: float
) -> bool:
    return all(h != height or right <= start or end <= left for h, start, end in taken)

"""Does the network do alike in every center? A forest plot of its main metric, pooled."""

from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.figures.canvas import describe, empty_figure, note
from mtl_hcc.figures.forest import (
    FONT,
    WIDTH,
    ForestColumns,
    ForestRow,
    draw_forest,
    forest_panels,
)
from mtl_hcc.tables.by_center import (
    CenterValues,
    center_values,
    heterogeneity,
    pooled_name,
    pooling_caption,
)
from mtl_hcc.tables.printed_numbers import value_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ForestColumns(
    heads=("Center", "n", "Events", "Value (95% CI)"),
    at=(0.01, 0.25, 0.32, 0.64),
    plot=(0.35, 0.62),
)
CHANCE = 0.5


def forest_by_center(
    metrics: pd.DataFrame, predictions: pd.DataFrame, models: pd.DataFrame | None = None
) -> "Figure":
    """Draw C-index or AUC of the first model by unseen center: a panel per task.

    Args:
        metrics: As ``metrics.csv``.
        predictions: Table of predictions: the center of a split with a single one.
        models: Where each was fitted, if that is known.
    """
    tasks = center_values(metrics, predictions)
    caption = pooling_caption(tasks, models)
    if not tasks:
        figure = empty_figure(WIDTH, 1.5)
        axes = figure.add_subplot()
        axes.set_axis_off()
        note(axes, caption)
        return describe(figure, caption)
    rows = [_rows(task) for task in tasks]
    figure, panels = forest_panels(rows, COLUMNS)
    for axes, task, of_task in zip(panels, tasks, rows, strict=True):
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"{task.metric}, {readable_name(task.task)}", size=FONT)
        draw_forest(axes, of_task, COLUMNS, reference=CHANCE)
    return describe(figure, caption)


def _rows(values: CenterValues) -> list[ForestRow]:
    rows = []
    for row in values.shown().to_dict("records"):
        size = (f"{row['n']:.0f}", f"{row['events']:.0f}")
        if row["reason"]:
            rows.append(ForestRow(row["center"], size, f"not estimable: {row['reason']}"))
            continue
        interval = value_text(row["value"], row["ci_low"], row["ci_high"])
        weight = 0.3 if pd.isna(row["weight"]) else row["weight"]
        ends = (row["value"], row["ci_low"], row["ci_high"])
        rows.append(ForestRow(row["center"], size, interval, *ends, weight=weight))
    pooled, name = values.pooled, pooled_name(values)
    if pooled is None:
        reason = values.reason.removeprefix("not pooled: ")
        return [*rows, ForestRow(name, (), reason, kind="heading")]
    used = values.centers[values.centers["reason"] == ""]
    size = (f"{used['n'].sum():.0f}", f"{used['events'].sum():.0f}")
    interval = value_text(pooled.value, pooled.ci_low, pooled.ci_high)
    ends = (pooled.value, pooled.ci_low, pooled.ci_high)
    reach = (pooled.value, pooled.prediction_low, pooled.prediction_high)
    said = heterogeneity(values).partition("; ")
    return [
        *rows,
        ForestRow(name, size, interval, *ends, kind="pooled"),
        ForestRow(f"  {said[2]}", (), said[0], *reach, kind="prediction"),
    ]

"""Which variables stand on their own beside the others? A forest plot of odds and hazard ratios."""

from typing import TYPE_CHECKING

import numpy as np
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
from mtl_hcc.tables.printed_numbers import p_text, value_text
from mtl_hcc.tables.regression import regression_caption
from mtl_hcc.tables.regression_values import (
    MULTIVARIATE,
    UNIVARIATE,
    WITH_NETWORK,
    regression_values,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ForestColumns(
    heads=("Covariate", "Ratio (95% CI), p"), at=(0.01, 0.74), plot=(0.45, 0.72)
)
NO_EFFECT = 1.0
WIDEST = (0.05, 20.0)
"""Ratios beyond these are drawn as arrows."""
MARKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def forest_regression(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> "Figure":
    """Draw the ratios of the models of several variables: a panel per outcome.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions; the first model is the network.
        models: Where each was fitted, if that is known.
    """
    from matplotlib.ticker import NullLocator

    values = regression_values(patients, predictions)
    caption = regression_caption(values, models)
    shown = values[values["model"] != UNIVARIATE]
    if shown.empty:
        figure = empty_figure(WIDTH, 1.5)
        axes = figure.add_subplot()
        axes.set_axis_off()
        note(axes, "no model of several variables: no variable with a univariate p < 0.05")
        return describe(figure, caption)
    outcomes = [(str(name), inside) for name, inside in shown.groupby("outcome", sort=False)]
    places = {
        MULTIVARIATE: f"Clinical ({values.attrs['fitted_on']}",
        WITH_NETWORK: f"With the network ({values.attrs['unseen']} rows",
    }
    rows = [_rows(inside, places) for _, inside in outcomes]
    figure, panels = forest_panels(rows, COLUMNS)
    for axes, (outcome, inside), of_outcome in zip(panels, outcomes, rows, strict=True):
        ratio = "Odds ratio" if outcome == "mvi" else "Hazard ratio"
        axes.set_xscale("log")
        low, high = _limits(inside)
        axes.set_xticks([mark for mark in MARKS if low <= mark <= high])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(low, high)
        axes.set_xlabel(f"{ratio} of {readable_name(outcome)}", size=FONT)
        draw_forest(axes, of_outcome, COLUMNS, reference=NO_EFFECT)
    return describe(figure, caption)


def _rows(values: pd.DataFrame, headings: dict[str, str]) -> list[ForestRow]:
    """Return the lines of one outcome: the clinical model, then the one with the network."""
    rows = []
    for model, inside in values.groupby("model", sort=False):
        name = str(model)
        size = inside["n"].max()
        counted = "" if np.isnan(size) else f", n = {size:.0f}"
        rows.append(ForestRow(f"{headings[name]}{counted})", kind="heading"))
        for row in inside.to_dict("records"):
            interval = value_text(row["ratio"], row["ci_low"], row["ci_high"])
            text = f"{interval}, {p_text(row['p'])}" if interval else str(row["reason"])
            ends = (row["ratio"], row["ci_low"], row["ci_high"])
            label = f"  {row['covariate']}, {row['comparison']}"
            rows.append(ForestRow(label, (), text, *ends))
    return rows


def _limits(values: pd.DataFrame) -> tuple[float, float]:
    """Return limits that hold the intervals, within :data:`WIDEST`."""
    low = np.nanmin([*values["ci_low"], 0.7]) / 1.1
    high = np.nanmax([*values["ci_high"], 1.4]) * 1.1
    return max(WIDEST[0], float(low)), min(WIDEST[1], float(high))

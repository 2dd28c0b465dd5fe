"""How good is the model beside the others? Its main metrics with intervals, at a glance."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.estimators.fitted_rows import fitted_in_words
from mtl_hcc.figures.canvas import BLUE, VERMILION, describe, empty_figure, note, plain_axes
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.prediction_columns import TRUTHS
from mtl_hcc.split_names import in_split_order
from mtl_hcc.tables.key_results_table import MAIN_METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.1
CHANCE = 0.5


def key_results(metrics: pd.DataFrame, models: pd.DataFrame | None = None) -> "Figure":
    """Draw a panel per outcome and split (but train), a point with its interval per model.

    Args:
        metrics: As from ``evaluate_predictions``; the first model is the one that is reported, the
            oracle of the phantom is drawn hollow.
        models: Where each was fitted, if that is known.
    """
    rows = metrics[
        (metrics["center"] == ALL_CENTERS)
        & metrics["metric"].isin(list(MAIN_METRICS))
        & metrics["value"].notna()
    ]
    unseen = rows[rows["split"] != "train"]
    rows = unseen if len(unseen) else rows
    if rows.empty:
        figure = empty_figure(WIDTH, 1.5)
        note(figure.add_subplot(), "no C-index or AUC could be computed")
        return describe(figure, "Main metrics: none could be computed.")
    splits = in_split_order(list(rows["split"].unique()))[::-1]
    outcomes = list(rows[["task", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    named = [str(name) for name in rows["model"].drop_duplicates()]
    panel = 0.22 * len(named) + 0.75
    figure = empty_figure(WIDTH, panel * len(splits) + 0.2)
    grid = figure.subplots(len(splits), len(outcomes), sharex=True, squeeze=False)
    low = float(np.nanmin([rows["ci_low"].min(), rows["value"].min(), CHANCE]))
    for line, split in enumerate(splits):
        for column, (task, metric) in enumerate(outcomes):
            axes = plain_axes(grid[line, column])
            inside = rows[
                (rows["split"] == split) & (rows["task"] == task) & (rows["metric"] == metric)
            ]
            _draw_models(axes, inside, named)
            axes.set_xlim(max(0.0, low - 0.03), 1.0)
            axes.set_title(_title(inside, split, task), fontsize=8)
            if column:
                axes.tick_params(labelleft=False)
            if line == len(splits) - 1:
                axes.set_xlabel(MAIN_METRICS[metric], fontsize=8)
    return describe(figure, _caption(rows, named, splits, fitted_in_words(models)))


def _title(inside: pd.DataFrame, split: str, task: str) -> str:
    name = f"{task.upper().replace('_', ' ')}, {split}"
    if inside.empty:
        return name
    first = inside.iloc[0]
    events = "" if pd.isna(first["events"]) else f", {int(first['events'])} events"
    return f"{name}\nn = {int(first['n'])}{events}"


def _draw_models(axes: "Axes", inside: pd.DataFrame, models: list[str]) -> None:
    axes.axvline(CHANCE, color="0.7", linewidth=0.8, linestyle="--")
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_yticks(range(len(models)), models)
    axes.tick_params(labelsize=8)
    if inside.empty:
        note(axes, "no value")
    for row in inside.to_dict("records"):
        model = str(row["model"])
        place = models.index(model)
        color = VERMILION if place == 0 else BLUE
        face = "white" if model in TRUTHS else color
        value = float(row["value"])
        if np.isfinite(float(row["ci_low"])):
            axes.plot([row["ci_low"], row["ci_high"]], [place, place], color=color, linewidth=1.4)
        axes.plot(value, place, "o", color=color, markerfacecolor=face, markersize=4.5)
        axes.text(
            1.0, place - 0.28, f"{value:.2f}", ha="right", va="center", fontsize=7, color=color
        )


def _caption(rows: pd.DataFrame, models: list[str], splits: list[str], fitted: str) -> str:
    beside = f", beside {', '.join(models[1:])}" if len(models) > 1 else ""
    methods = rows["method"].astype(str).str.contains("pairs within a fold").any()
    folds = " Pairs of patients are compared within a fold." if methods else ""
    truths = " and the ".join(name for name in models if name in TRUTHS)
    hollow = f" Hollow: the {truths}, made of the phantom's truth." if truths else ""
    return (
        f"Discrimination of {models[0]}{beside}, on {', '.join(splits)}, with 95% intervals; n "
        f"and events stand above each panel. {fitted}{folds}{hollow}"
    )

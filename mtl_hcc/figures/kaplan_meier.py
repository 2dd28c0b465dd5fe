"""Do patients called high risk die or recur earlier? Kaplan-Meier curves of two risk groups."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import (
    BLUE,
    VERMILION,
    empty_figure,
    in_split_order,
    note,
    plain_axes,
)
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.statistic import NotComputableError
from mtl_hcc.metrics.survival.logrank import logrank_p
from mtl_hcc.metrics.survival.survival_curve import number_at_risk, survival_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS_PER_YEAR = 365.25
GROUPS = (("low risk", False, BLUE), ("high risk", True, VERMILION))


def kaplan_meier(predictions: pd.DataFrame) -> "Figure":
    """Draw the survival of high- and low-risk patients: a row per task, a column per split.

    High risk is a risk above the median of the train split of the same fold (of all rows of the
    fold where there is no train split, which the title says). The number at risk stands under each
    panel, the log-rank p in it.

    Args:
        predictions: Table of predictions of one model (the first, if there are several):
            ``task, split, fold, risk, time_days, event``.
    """
    table = check_predictions(predictions)
    table = table[table["model"] == table["model"].iloc[0]]
    by_task = {str(task): rows for task, rows in table.groupby("task", sort=False)}
    by_task = {task: rows for task, rows in by_task.items() if task_kind(rows) == "survival"}
    splits = in_split_order(list(table["split"].unique()))
    figure = empty_figure(3.6 * len(splits), 3.4 * max(1, len(by_task)))
    if not by_task:
        note(figure.add_subplot(), "no survival task among the predictions")
        return figure
    grid = figure.add_gridspec(2 * len(by_task), len(splits), height_ratios=[4, 1] * len(by_task))
    for row, (task, rows) in enumerate(by_task.items()):
        high, rule = high_risk(rows)
        known = with_outcome(rows.assign(high=high), "survival")
        for column, split in enumerate(splits):
            curves = plain_axes(figure.add_subplot(grid[2 * row, column]))
            counts = figure.add_subplot(grid[2 * row + 1, column], sharex=curves)
            inside = known[known["split"] == split]
            curves.set_title(f"{task.upper()}, {split} (n = {len(inside)})")
            _draw_curves(curves, inside)
            _draw_numbers(counts, inside)
            if column == 0:
                curves.set_ylabel("Event-free")
            if (row, column) == (0, 0):
                handles, names = curves.get_legend_handles_labels()
                figure.legend(
                    handles, names, title=rule, loc="outside upper center", ncols=2, frameon=False
                )
    return figure


def high_risk(rows: pd.DataFrame) -> "tuple[pd.Series[bool], str]":
    """Return who is above the training median of the own fold, and the rule in words."""
    train = rows[rows["split"] == "train"]
    rule = "cut at the median of train"
    if train.empty:
        train, rule = rows, "cut at the median of all"
    median = rows["fold"].map(train.groupby("fold")["risk"].median())
    return rows["risk"] > median, rule


def _draw_curves(axes: "Axes", rows: pd.DataFrame) -> None:
    axes.set_ylim(0, 1.02)
    axes.tick_params(labelbottom=False)
    if rows.empty:
        note(axes, "no patient with a known outcome")
        return
    for name, is_high, color in GROUPS:
        group = rows[rows["high"] == is_high]
        if group.empty:
            continue
        time, survival = survival_curve(group["time_days"], group["event"])
        axes.step(time / DAYS_PER_YEAR, survival, where="post", color=color, label=name)
        censored = np.unique(group.loc[group["event"] == 0, "time_days"])
        after = survival[np.searchsorted(time, censored)]
        axes.plot(censored / DAYS_PER_YEAR, after, "|", color=color, markersize=4)
    axes.text(0.98, 0.95, _p_in_words(rows), transform=axes.transAxes, ha="right", va="top")


def _p_in_words(rows: pd.DataFrame) -> str:
    if rows["patient_id"].duplicated().any():
        return "no p: patients repeat over folds"
    try:
        p = logrank_p(rows["time_days"], rows["event"], rows["high"])
    except NotComputableError as error:
        return f"no p: {error}"
    return "log-rank p < 0.001" if p < 0.001 else f"log-rank p = {p:.3f}"


def _draw_numbers(axes: "Axes", rows: pd.DataFrame) -> None:
    """Write the number at risk at each whole year (at most six) under the curves."""
    last = 1 if rows.empty else max(1, int(rows["time_days"].max() / DAYS_PER_YEAR))
    years = np.arange(0, last + 1, max(1, int(np.ceil(last / 5))))
    axes.set_xticks(years)
    axes.set_xlabel("Years")
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], [name for name, _, _ in GROUPS], fontsize="small")
    axes.set_title("Number at risk", loc="left", fontsize="small", pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    for height, (_, is_high, color) in zip((1, 0), GROUPS, strict=True):
        followed = number_at_risk(
            rows.loc[rows["high"] == is_high, "time_days"], years * DAYS_PER_YEAR
        )
        for year, number in zip(years, followed, strict=True):
            axes.text(
                float(year), height, str(number), color=color, ha="center", va="center", size=8
            )

"""Would acting on the predictions do more good than harm? Decision curves of all tasks."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    describe,
    empty_figure,
    note,
    plain_axes,
)
from mtl_hcc.metrics.bootstrap import FloatArray
from mtl_hcc.metrics.calibration.survival_calibration import event_probability
from mtl_hcc.metrics.net_benefit import TREAT_ALL, TREAT_NONE, DecisionCurve, decision_curves
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.task_panels import TaskPanels, task_panels, why_no_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7
STEP = 0.01
"""Between thresholds."""
HIGHEST = 0.95
OTHERS = (
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (ORANGE, (0, (5, 1))),
    (SKY_BLUE, (0, (1, 1))),
)
"""Color and line of the other models, in their order."""
CAPTION = (
    "Decision curves: net benefit per 100 patients (true positives minus false positives weighted "
    "by the odds of the threshold) when patients are treated from a predicted probability of the "
    "event on (survival tasks: by the horizon in the title; the event probability of those treated "
    "is from Kaplan-Meier among them). Blue: {model}, with its pointwise 95% interval "
    "({bootstraps} resamples of patients){others}. Thresholds end where fewer than 1 in 20 "
    "patients of some split would be treated by {model}. {panels}"
)


def decision_curve(predictions: pd.DataFrame, *, bootstraps: int = 1000) -> "Figure":
    """Draw a row per task and a column per split: net benefit of each model, of all and of none.

    Survival tasks are shown at the latest horizon at which a quarter of the patients of every
    split is still followed. Models that do not predict the horizon, or not these patients, are left
    out of a panel.

    Args:
        predictions: Table of predictions; the first model gets the interval.
        bootstraps: Resamples of the patients for the interval.
    """
    panels = task_panels(predictions)
    if not panels.tasks:
        figure = empty_figure(3.6, 3.4)
        note(figure.add_subplot(), "no task with probabilities\namong the predictions")
        return figure
    columns, number = len(panels.splits), len(panels.tasks)
    figure = empty_figure(max(2.6, 2.37 * columns), 2.2 * number + 0.3)
    grid = figure.subplots(number, columns, squeeze=False)
    said = []
    for row, task in enumerate(panels.tasks):
        cuts = thresholds(panels, task)
        for column, split in enumerate(panels.splits):
            axes = plain_axes(grid[row, column])
            axes.set_title(panels.title(task, split), fontsize=SMALL + 1, loc="left")
            axes.tick_params(labelsize=SMALL)
            _draw_panel(axes, panels, task, split, cuts, bootstraps)
            said.append(f"{panels.title(task, split)}: {panels.size_in_words(task, split)}")
            if column == 0:
                axes.set_ylabel("Net benefit per 100", fontsize=SMALL + 1)
            if row == number - 1:
                axes.set_xlabel("Threshold probability", fontsize=SMALL + 1)
    _add_legend(figure, panels.models)
    others = f"; other lines: {', '.join(panels.models[1:])}" if len(panels.models) > 1 else ""
    caption = CAPTION.format(
        model=panels.models[0],
        bootstraps=bootstraps,
        others=others,
        panels="; ".join(said) + "." + panels.left_out_in_words(),
    )
    return describe(figure, caption)


def thresholds(panels: TaskPanels, task: str) -> FloatArray:
    """Return the thresholds of a task: from 1% to where few patients of some split are treated."""
    days = panels.horizons[task]
    ends = []
    for split in panels.splits:
        sample = panels.sample(task, split)
        if sample is not None and not why_no_panel(sample, days):
            ends.append(float(np.quantile(_probability(sample, days), 0.95)))
    end = min(*ends, HIGHEST) if ends else 0.5
    return np.arange(STEP, max(end, 0.1) + STEP / 2, STEP)


def _probability(sample: TaskRows, days: int | None) -> FloatArray:
    if days is None:
        return sample.rows["probability"].to_numpy(dtype=np.float64)
    return event_probability(sample.rows, days)


def _draw_panel(
    axes: "Axes", panels: TaskPanels, task: str, split: str, cuts: FloatArray, bootstraps: int
) -> None:
    days = panels.horizons[task]
    first, *others = panels.models
    sample = panels.sample(task, split)
    reason = why_no_panel(sample, days)
    axes.set_xlim(0, float(cuts[-1]))
    if reason or sample is None:
        note(axes, textwrap.fill(reason, 30))
        return
    curves = decision_curves({first: sample.rows}, cuts, horizon_days=days, bootstraps=bootstraps)
    for name in others:
        other = panels.sample(task, split, name)
        if other is not None and not why_no_panel(other, days):
            curves |= {
                name: decision_curves({name: other.rows}, cuts, horizon_days=days, bootstraps=0)[
                    name
                ]
            }
    _draw_curves(axes, curves, panels.models)


def _draw_curves(axes: "Axes", curves: dict[str, DecisionCurve], models: Sequence[str]) -> None:
    band = curves[models[0]]
    axes.fill_between(band.threshold, band.ci_low, band.ci_high, color=BLUE, alpha=0.2, lw=0)
    for name, style in _styles(models).items():
        if name in curves:
            axes.plot(curves[name].threshold, curves[name].value, **style)
    top = np.nanmax([np.nanmax(curve.value) for curve in curves.values()])
    top = max(float(top), float(np.nanmax(band.ci_high)), 1.0) * 1.05
    axes.set_ylim(-0.2 * top, top)


def _styles(models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how each strategy is drawn; the first model last, on top."""
    styles: dict[str, dict[str, Any]] = {
        TREAT_NONE: {"color": "0.3", "linewidth": 0.8, "linestyle": "-"},
        TREAT_ALL: {"color": "0.6", "linewidth": 1.4, "linestyle": (0, (5, 1))},
    }
    for place, name in enumerate(models[1:]):
        color, line = OTHERS[place % len(OTHERS)]
        styles[name] = {"color": color, "linewidth": 1.1, "linestyle": line}
    styles[models[0]] = {"color": BLUE, "linewidth": 1.6, "linestyle": "-"}
    return styles


def _add_legend(figure: "Figure", models: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    styles = _styles(models)
    names = [*models, TREAT_ALL, TREAT_NONE]
    lines = [Line2D([], [], label=name, **styles[name]) for name in names]
    figure.legend(
        handles=lines, loc="outside lower center", ncols=min(6, len(names)), fontsize=SMALL,
        frameon=False,
    )  # fmt: skip

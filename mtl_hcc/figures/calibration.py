"""Do patients given a probability of 30% have the event in 30%? Calibration curves of all tasks."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import (
    BLUE,
    VERMILION,
    describe,
    empty_figure,
    note,
    plain_axes,
)
from mtl_hcc.metrics.calibration.calibration_curve import (
    CalibrationCurve,
    CalibrationNumber,
    calibration_curve,
)
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.task_panels import task_panels, why_no_panel
from mtl_hcc.tables.printed_numbers import value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7
WORDS = {"calibration_slope": "Slope", "calibration_intercept": "Intercept", "ici": "ICI"}
LIMITS = (0.25, 0.5, 1.0)
"""Ends of the axes; the smallest that holds predictions and observations."""
BINS = 25
CAPTION = (
    "Calibration of {model}: predicted probability of the event (survival tasks: by the horizon in "
    "the title) against what was observed. Blue: smoothed curve with its pointwise 95% interval "
    "({bootstraps} resamples of patients), from a Cox regression on a restricted cubic spline of "
    "the complementary log-log of the prediction (survival) or a logistic regression on a spline "
    "of its logit (classes). Points: fifths of the patients by prediction (fewer groups below 50 "
    "patients), with Kaplan-Meier's estimate and Greenwood's interval (survival) or the share of "
    "positives and Wilson's interval (classes); no interval where patients repeat over folds. "
    "Dashed: perfect calibration. Below: distribution of the predictions. Slope and intercept "
    "(perfect: 1 and 0) come from a complementary log-log regression of the event by the horizon, "
    "weighted for censoring (survival), or from logistic recalibration (classes); ICI: mean "
    "distance between curve and diagonal. {panels}"
)


def calibration(predictions: pd.DataFrame, *, bootstraps: int = 1000) -> "Figure":
    """Draw a row per task and a column per split: smoothed curve, groups, distribution, numbers.

    Survival tasks are shown at the latest horizon at which a quarter of the patients of every
    split is still followed. With several folds the probabilities are pooled.

    Args:
        predictions: Table of predictions of one model (the first, if there are several).
        bootstraps: Resamples of the patients for intervals.
    """
    panels = task_panels(predictions)
    if not panels.tasks:
        figure = empty_figure(3.6, 3.4)
        note(figure.add_subplot(), "no task with probabilities\namong the predictions")
        return figure
    columns, number = len(panels.splits), len(panels.tasks)
    figure = empty_figure(max(2.6, 2.37 * columns), 2.95 * number)
    grid = figure.add_gridspec(2 * number, columns, height_ratios=[6, 1] * number)
    said = []
    for row, task in enumerate(panels.tasks):
        days = panels.horizons[task]
        curves = [_curve(panels.sample(task, split), days, bootstraps) for split in panels.splits]
        end = _limit([curve for curve in curves if not isinstance(curve, str)])
        for column, (split, curve) in enumerate(zip(panels.splits, curves, strict=True)):
            axes = plain_axes(figure.add_subplot(grid[2 * row, column]))
            below = plain_axes(figure.add_subplot(grid[2 * row + 1, column], sharex=axes))
            title = panels.title(task, split)
            _write_title(axes, title, curve)
            _draw_panel(axes, below, curve, end)
            said.append(f"{title}: {panels.size_in_words(task, split)}")
            if column == 0:
                axes.set_ylabel("Observed", fontsize=SMALL + 1)
            if row == number - 1:
                below.set_xlabel("Predicted probability", fontsize=SMALL + 1)
    caption = CAPTION.format(
        model=panels.models[0],
        bootstraps=bootstraps,
        panels="; ".join(said) + "." + panels.left_out_in_words(),
    )
    return describe(figure, caption)


def _curve(sample: TaskRows | None, days: int | None, bootstraps: int) -> CalibrationCurve | str:
    """Return what to draw of a panel, or why there is nothing."""
    reason = why_no_panel(sample, days)
    if reason or sample is None:
        return reason
    return calibration_curve(sample, horizon_days=days, bootstraps=bootstraps)


def _limit(curves: Sequence[CalibrationCurve]) -> float:
    """Return the common end of the axes of a row."""
    largest = [
        max(float(np.quantile(curve.predicted, 0.995)), float(curve.groups["observed"].max()))
        for curve in curves
    ]
    return next((end for end in LIMITS if max(largest, default=1.0) <= 0.98 * end), 1.0)


def _draw_panel(axes: "Axes", below: "Axes", curve: CalibrationCurve | str, end: float) -> None:
    axes.set(xlim=(0, end), ylim=(0, end), xticks=[0, end / 2, end], yticks=[0, end / 2, end])
    axes.tick_params(labelsize=SMALL, labelbottom=False)
    below.tick_params(labelsize=SMALL, left=False, labelleft=False)
    below.spines["left"].set_visible(False)
    if isinstance(curve, str):
        note(axes, textwrap.fill(curve, 30))
        return
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle="--", zorder=1)
    if len(curve.at):
        axes.fill_between(curve.at, curve.ci_low, curve.ci_high, color=BLUE, alpha=0.2, lw=0)
        axes.plot(curve.at, curve.observed, color=BLUE, linewidth=1.4)
    else:
        why = textwrap.fill(f"no curve: {curve.numbers['ici'].why_not}", 38)
        axes.text(0.03, 0.97, why, transform=axes.transAxes, va="top", fontsize=SMALL, color="0.4")
    groups = curve.groups.dropna(subset=["observed"])
    shown = groups[["predicted", "observed", "ci_low", "ci_high"]].to_numpy(dtype=np.float64)
    predicted, observed, low, high = shown.T
    axes.errorbar(
        predicted, observed, yerr=np.maximum([observed - low, high - observed], 0), fmt="o",
        color=VERMILION, markersize=3, linewidth=0.9, capsize=1.5, zorder=3,
    )  # fmt: skip
    below.hist(curve.predicted, bins=np.linspace(0, end, BINS + 1).tolist(), color="0.6")


def _write_title(axes: "Axes", title: str, curve: CalibrationCurve | str) -> None:
    """Write the title, and slope, intercept and ICI between it and the panel."""
    lines = [] if isinstance(curve, str) else [_in_words(one) for one in curve.numbers.values()]
    axes.set_title(title, fontsize=SMALL + 1, loc="left", pad=4 + 1.25 * SMALL * len(lines))
    axes.annotate(
        "\n".join(lines), (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points",
        fontsize=SMALL, va="bottom", linespacing=1.15,
    )  # fmt: skip


def _in_words(number: CalibrationNumber) -> str:
    text = value_text(number.value, number.ci_low, number.ci_high)
    return f"{WORDS[number.name]} {text or '-'}"

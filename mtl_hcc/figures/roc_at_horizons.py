"""Who has the event by 1, 2 and 3 years? Cumulative/dynamic ROC curves of the survival tasks."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import BLUE, GREEN, VERMILION, describe, empty_figure, note, plain_axes
from mtl_hcc.metrics.bootstrap import FloatArray
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.survival.censoring import CensoringWeights, cases_and_controls
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.split_names import TRAIN, in_split_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ((BLUE, "-"), (VERMILION, "--"), (GREEN, "-."))
"""Color and line of the first, second and third horizon."""
OTHER_LINES = ("-", ":", "--", "-.")
"""Gray lines of the other models, in their order."""
POINTS = 1000
SMALL = 7
CAPTION = (
    "Cumulative/dynamic ROC curves by horizon: patients with the event by then against those "
    "event-free beyond it, weighted by the inverse probability of being censored, which comes from "
    "the train rows of the same fold where there are any. Strong lines: {first}, with the AUC and "
    "its 95% interval, as in metrics.csv{others}. {folds}{panels}"
)


def roc_at_horizons(predictions: pd.DataFrame, metrics: pd.DataFrame) -> "Figure":
    """Draw a row per survival task and a column per split, a curve per horizon (at most three).

    The first model is drawn strongly, with its AUC and interval in the legend, all others in thin
    gray at one horizon, the middle one. With several folds a curve is the mean of the folds'
    curves, weighted by their pairs, so that its area is the AUC of ``metrics.csv``.

    Args:
        predictions: Table of predictions: ``model, task, split, fold, risk, time_days, event``.
        metrics: ``metrics.csv`` of the same predictions, for the AUCs and their intervals.
    """
    table = check_predictions(predictions)
    names = list(table["model"].drop_duplicates())
    table = table[[kind == "survival" for kind in _kinds(table)]]
    if table.empty:
        figure = empty_figure(3.6, 3.4)
        note(figure.add_subplot(), "no survival task among the predictions")
        return figure
    tasks = list(table["task"].drop_duplicates())
    splits = in_split_order(list(table["split"].unique()))
    figure = empty_figure(max(3.6, 2.37 * len(splits)), 2.55 * len(tasks) + 0.2)
    grid = figure.subplots(len(tasks), len(splits), squeeze=False)
    aucs = metrics[(metrics["metric"] == "auc_td") & (metrics["center"] == ALL_CENTERS)]
    aucs = aucs.dropna(subset=["value"])
    panels = []
    for task, row in zip(tasks, grid, strict=True):
        for split, axes in zip(splits, row, strict=True):
            samples = {
                name: _sample(table[(table["model"] == name) & (table["task"] == task)], split)
                for name in names
            }
            found = aucs[(aucs["task"] == task) & (aucs["split"] == split)]
            panels.append(_draw_panel(axes, f"{task.upper()}, {split}", samples, found))
        row[0].set_ylabel("Sensitivity", fontsize=SMALL + 1)
    for axes in grid[-1]:
        axes.set_xlabel("1 - specificity", fontsize=SMALL + 1)
    _name_others(figure, names[1:])
    return describe(figure, _caption(names, table, panels))


def roc_points_at_horizon(sample: TaskRows, days: float) -> tuple[FloatArray, FloatArray]:
    """Return 1 - specificity and sensitivity, from (0, 0) to (1, 1), the mean over the folds.

    Args:
        sample: Rows of one survival task, with cases and controls of the horizon.
        days: The horizon.
    """
    rows = sample.rows
    censoring = CensoringWeights(rows)
    ((_, heights),) = censoring.blocks(np.ones((1, len(rows)), dtype=np.float32))
    case, control = cases_and_controls(rows, days)
    cases = censoring.event_weights(heights)[0] * case
    risk, folds = rows["risk"].to_numpy(np.float64), rows["fold"].to_numpy()
    curves = []
    for fold in np.unique(folds):
        inside = folds == fold
        pairs = cases[inside].sum() * control[inside].sum()
        if pairs > 0:
            rates = [_rates(risk[inside], by[inside]) for by in (1.0 * control, cases)]
            curves.append((pairs, rates[0], rates[1]))
    if len(curves) == 1:
        return curves[0][1:]
    steps = np.unique(np.concatenate([false_alarms for _, false_alarms, _ in curves]))
    grid = np.sort(np.concatenate([steps - 1e-9, steps + 1e-9]))  # both sides of each rise
    shares = np.array([pairs for pairs, _, _ in curves]) / sum(pairs for pairs, _, _ in curves)
    mean = shares @ np.stack([np.interp(grid, x, y) for _, x, y in curves])
    return np.concatenate([[0], grid, [1]]).clip(0, 1), np.concatenate([[0], mean, [1]])


def _rates(risk: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of the weight at or above each cut-off, from the highest risk down."""
    _, place = np.unique(-risk, return_inverse=True)
    above = np.cumsum(np.bincount(place, weights=weights))
    return np.concatenate([[0], above / above[-1]])


def _kinds(table: pd.DataFrame) -> "pd.Series[str]":
    """Return the kind of each row's task."""
    kinds = {key: task_kind(rows) for key, rows in table.groupby(["model", "task"], sort=False)}
    return pd.Series([kinds[key] for key in zip(table["model"], table["task"], strict=True)])


def _sample(rows: pd.DataFrame, split: str) -> TaskRows:
    known = with_outcome(rows, "survival")
    return TaskRows(
        known[known["split"] == split].reset_index(drop=True),
        known[known["split"] == TRAIN],
        "survival",
    )


def _draw_panel(axes: "Axes", title: str, samples: dict[str, TaskRows], aucs: pd.DataFrame) -> str:
    """Draw the curves of one task and split; return what the caption says of the panel.

    Args:
        axes: To draw on.
        title: Of the panel.
        samples: Model to its rows, the first model first.
        aucs: Rows of ``metrics.csv`` of this task and split that have a value.
    """
    plain_axes(axes).set_aspect("equal")
    axes.set_title(title, fontsize=SMALL + 1)
    axes.tick_params(labelsize=SMALL)
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=0.8, zorder=0)
    (name, first), *others = samples.items()
    if first.rows.empty:
        note(axes, "no patient with\na known outcome")
        return f"{title}: no patient"
    drawn = aucs[aucs["model"] == name].sort_values("horizon_days")[: len(STYLES)]
    for row, (color, line) in zip(drawn.to_dict("records"), STYLES, strict=False):
        text = f"{in_years(row['horizon_days'])}: {_in_words(row)}"
        points = _thinned(roc_points_at_horizon(first, row["horizon_days"]))
        axes.plot(*points, linewidth=1.6, color=color, linestyle=line, label=text)
    if drawn.empty:
        note(axes, "no horizon inside\nthe follow-up")
    else:
        axes.legend(loc="lower right", fontsize=SMALL, handlelength=1.8, borderaxespad=0.1)
        days = drawn["horizon_days"].iloc[len(drawn) // 2]
        known = set(aucs.loc[aucs["horizon_days"] == days, "model"])
        for place, (other, sample) in enumerate(others):
            if other in known:
                points = _thinned(roc_points_at_horizon(sample, days))
                axes.plot(*points, zorder=1, **_other_style(place))
    patients = first.rows.drop_duplicates("patient_id")
    return f"{title}: {len(patients)} patients, {patients['event'].sum():.0f} events"


def _in_words(row: "dict[Hashable, Any]") -> str:
    """Return the AUC and its interval."""
    text = f"{row['value']:.2f}"
    if np.isfinite(row["ci_low"]):
        text += f" ({row['ci_low']:.2f}-{row['ci_high']:.2f})"
    return text


def _thinned(points: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return at most a thousand points of a curve, more than a printed page can show."""
    kept = np.unique(np.linspace(0, len(points[0]) - 1, POINTS).round().astype(int))
    return points[0][kept], points[1][kept]


def _other_style(place: int) -> dict[str, Any]:
    line = OTHER_LINES[place % len(OTHER_LINES)]
    return {"color": "0.55", "linewidth": 0.8, "linestyle": line}


def _name_others(figure: "Figure", names: list[str]) -> None:
    """Name the gray lines under the figure."""
    from matplotlib.lines import Line2D

    if names:
        lines = [Line2D([], [], label=name, **_other_style(k)) for k, name in enumerate(names)]
        figure.legend(
            handles=lines, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False
        )


def in_years(days: float) -> str:
    """Return whole years where the days are some, else days."""
    years = days / 365
    if years == int(years):
        return f"{int(years)} year" + ("s" if years > 1 else "")
    return f"{days:g} days"


def _caption(names: list[str], table: pd.DataFrame, panels: list[str]) -> str:
    others = ""
    if len(names) > 1:
        others = f"; gray lines, at the middle horizon: {', '.join(names[1:])}"
    several = table["fold"].nunique() > 1
    folds = "Mean over the folds, weighted by their pairs. " if several else ""
    return CAPTION.format(
        first=names[0], others=others, folds=folds, panels="; ".join(panels) + "."
    )

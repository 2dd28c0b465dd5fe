"""Do patients called high risk die or recur earlier? Kaplan-Meier curves of two risk groups."""

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import describe, note
from mtl_hcc.figures.risk_group_panels import (
    BAND,
    DAYS_PER_YEAR,
    GROUPS,
    PAPER,
    SMALL,
    draw_numbers_at_risk,
    legend_above,
    lone_note,
    p_equation,
    panel_grid,
)
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio, logrank
from mtl_hcc.metrics.survival.product_limit import KaplanMeier
from mtl_hcc.metrics.survival.product_limit import kaplan_meier as kaplan_meier_curve
from mtl_hcc.metrics.survival.risk_groups import rule_in_words, with_risk_groups
from mtl_hcc.split_names import in_split_order
from mtl_hcc.tables.printed_numbers import value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_PART, HIGH = 0.4, 0.82
"""Share of the follow-up from which on a text at the upper right lies, and its lower edge."""
CAPTION = (
    "Kaplan-Meier curves of the patients that {model} calls high and low risk, {rule}, with "
    "pointwise 95% intervals (Greenwood's variance, log-log scale); ticks: censored patients. HR: "
    "hazard ratio of high against low risk by Cox's model (Efron's ties) with its Wald interval; p "
    "by the log-rank test.{repeated} {panels}."
)
REPEATED = (
    " Where patients repeat over folds their rows are not independent, so that bands, interval and "
    "p are left out, and the numbers at risk count rows."
)


def kaplan_meier(predictions: pd.DataFrame) -> "Figure":
    """Draw the survival of high- and low-risk patients: a row per task, a column per split.

    High risk is a risk above the median of the train split of the same fold (of the panel's own
    rows where there is no train split; at the median where nobody is above it; the legend says
    both). The number at risk stands under each panel, hazard ratio and log-rank p in it.

    Args:
        predictions: Table of predictions of one model (the first, if there are several):
            ``task, split, fold, risk, time_days, event``.
    """
    table = check_predictions(predictions)
    model = table["model"].iloc[0]
    table = table[table["model"] == model]
    by_task = {str(task): rows for task, rows in table.groupby("task", sort=False)}
    by_task = {task: rows for task, rows in by_task.items() if task_kind(rows) == "survival"}
    if not by_task:
        return lone_note("no survival task among the predictions")
    splits = in_split_order(list(table["split"].unique()))
    figure, panels = panel_grid(len(by_task), len(splits))
    said, rules = [], {}
    for line, (task, rows) in zip(panels, by_task.items(), strict=True):
        known, rules[task] = with_risk_groups(with_outcome(rows, "survival"))
        for (curves, counts), split in zip(line, splits, strict=True):
            inside = known[known["split"] == split]
            patients = inside.drop_duplicates("patient_id")
            size = f"n = {len(patients)}, {int(patients['event'].sum())} events"
            curves.set_title(f"{task.upper()}, {split}\n{size}", fontsize=SMALL + 1)
            said.append(f"{task.upper()}, {split}: {size}")
            _draw_curves(curves, inside)
            draw_numbers_at_risk(counts, inside)
        line[0][0].set_ylabel("Event-free", fontsize=SMALL + 1)
    rule = rule_in_words(rules)
    legend_above(figure, panels[0][0][0], rule)
    repeated = REPEATED if _repeats(table) else ""
    return describe(
        figure,
        CAPTION.format(model=model, rule=rule, repeated=repeated, panels="; ".join(said)),
    )


def _repeats(table: pd.DataFrame) -> bool:
    return bool(table.duplicated(["task", "split", "patient_id"]).any())


def _draw_curves(axes: "Axes", rows: pd.DataFrame) -> None:
    if rows.empty:
        note(axes, "no patient with\na known outcome")
        return
    once = not rows["patient_id"].duplicated().any()
    for name, is_high, color in GROUPS:
        group = rows[rows["high"] == is_high]
        if group.empty:
            continue
        curve = kaplan_meier_curve(group["time_days"], group["event"])
        years = curve.time / DAYS_PER_YEAR
        axes.step(years, curve.survival, where="post", color=color, label=name, linewidth=1.3)
        if once:
            band = (np.nan_to_num(curve.ci_low), np.nan_to_num(curve.ci_high))
            axes.fill_between(years, *band, step="post", color=color, alpha=BAND, linewidth=0)
        _draw_censored(axes, curve, group, color)
    text = _difference(rows) if once else "patients repeat over folds:\nno interval, no p"
    _write(axes, text, rows)


def _write(axes: "Axes", text: str, rows: pd.DataFrame) -> None:
    """Write where no curve passes: at the upper right below which all curves lie, else below."""
    days = LEFT_PART * rows["time_days"].max()
    groups = [rows[rows["high"] == is_high] for _, is_high, _ in GROUPS]
    heights = [
        kaplan_meier_curve(group["time_days"], group["event"]).at(days)[0]
        for group in groups
        if len(group)
    ]
    above = np.nanmax([0.0, *heights]) < HIGH
    place = (0.98, 1.0, "right", "top") if above else (0.03, 0.04, "left", "bottom")
    axes.text(
        *place[:2], text, transform=axes.transAxes, ha=place[2], va=place[3], fontsize=SMALL,
        bbox=PAPER,
    )  # fmt: skip


def _draw_censored(axes: "Axes", curve: KaplanMeier, group: pd.DataFrame, color: str) -> None:
    censored = np.unique(group.loc[group["event"] == 0, "time_days"])
    after = curve.survival[np.searchsorted(curve.time, censored)]
    axes.plot(censored / DAYS_PER_YEAR, after, "|", color=color, markersize=3, markeredgewidth=0.6)


def _difference(rows: pd.DataFrame) -> str:
    """Return hazard ratio and log-rank p in words, or why there is none."""
    outcome = (rows["time_days"], rows["event"], rows["high"])
    lines = []
    try:
        ratio, low, high, _ = hazard_ratio(*outcome)
        lines.append(f"HR {value_text(ratio, low, high)}")
    except NotComputableError as error:
        lines.append(str(error).replace(": ", ":\n", 1))
    with contextlib.suppress(NotComputableError):  # for the reason just given
        lines.append(f"log-rank {p_equation(logrank(*outcome)[2])}")
    return "\n".join(lines)

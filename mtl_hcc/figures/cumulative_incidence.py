"""Do high-risk patients recur, or die before they could? Cumulative incidence by risk group."""

from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.figures.canvas import describe
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
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.survival.first_events import CAUSES, competing_rows
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio
from mtl_hcc.metrics.survival.incidence import cumulative_incidence as aalen_johansen
from mtl_hcc.metrics.survival.incidence import gray_test
from mtl_hcc.split_names import in_split_order
from mtl_hcc.tables.printed_numbers import value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Cumulative incidence (Aalen-Johansen) of recurrence and of death without recurrence in the "
    "patients that {model} calls high and low risk of either (task rfs), {rule}, with pointwise "
    "95% intervals (log-log scale). A death on the day on which recurrence-free survival ends "
    "counts as death without recurrence. p by Gray's test; HR: cause-specific hazard ratio of high "
    "against low risk (Cox, the other cause censored) with its Wald interval.{repeated} {panels}."
    "{dropped}"
)
REPEATED = (
    " Where patients repeat over folds, bands, interval and p are left out, and the numbers at "
    "risk count their rows."
)


def cumulative_incidence(predictions: pd.DataFrame) -> "Figure":
    """Draw the incidence of both first events by risk group: a row per cause, a column per split.

    Args:
        predictions: Table of predictions of one model (the first, if there are several), with the
            tasks ``os`` and ``rfs``: which event came first follows from both.
    """
    table = check_predictions(predictions)
    model = table["model"].iloc[0]
    try:
        known = competing_rows(table[table["model"] == model])
    except NotComputableError as error:
        return lone_note(str(error).replace(": ", ":\n"))
    splits = in_split_order(list(known["split"].unique()))
    figure, panels = panel_grid(len(CAUSES), len(splits))
    said = []
    for line, (cause, name) in zip(panels, CAUSES.items(), strict=True):
        for (curves, counts), split in zip(line, splits, strict=True):
            inside = known[known["split"] == split]
            patients = inside.drop_duplicates("patient_id")
            size = f"n = {len(patients)}, {int((patients['cause'] == cause).sum())} events"
            curves.set_title(f"{name.capitalize()}, {split}\n{size}", fontsize=SMALL + 1)
            said.append(f"{name.capitalize()}, {split}: {size}")
            _draw_curves(curves, inside, cause)
            draw_numbers_at_risk(counts, inside)
        line[0][0].set_ylabel("Cumulative incidence", fontsize=SMALL + 1)
    legend_above(figure, panels[0][0][0], known.attrs["rule"])
    repeated = REPEATED if known.duplicated(["split", "patient_id"]).any() else ""
    caption = CAPTION.format(
        model=model,
        rule=known.attrs["rule"],
        repeated=repeated,
        panels="; ".join(said),
        dropped=dropped_text(known.attrs["dropped"]),
    )
    return describe(figure, caption)


def dropped_text(number: int) -> str:
    """Return how many rows are left out, and why; empty when none is."""
    if number == 0:
        return ""
    return f" Rows left out because OS is unknown or contradicts RFS: {number}."


def _draw_curves(axes: "Axes", rows: pd.DataFrame, cause: int) -> None:
    once = not rows["patient_id"].duplicated().any()
    for name, is_high, color in GROUPS:
        group = rows[rows["high"] == is_high]
        if group.empty:
            continue
        curve = aalen_johansen(group["time_days"], group["cause"], cause)
        years = curve.time / DAYS_PER_YEAR
        axes.step(years, curve.incidence, where="post", color=color, label=name, linewidth=1.3)
        if once:
            ends = (curve.ci_low, curve.ci_high)
            axes.fill_between(years, *ends, step="post", color=color, alpha=BAND, linewidth=0)
    text = _difference(rows, cause) if once else "patients repeat over folds:\nno interval, no p"
    axes.text(0.03, 0.98, text, transform=axes.transAxes, va="top", fontsize=SMALL, bbox=PAPER)


def _difference(rows: pd.DataFrame, cause: int) -> str:
    """Return Gray's p and the cause-specific hazard ratio in words, or why there is none."""
    outcome = (rows["time_days"], rows["cause"], rows["high"])
    try:
        lines = [f"Gray {p_equation(gray_test(*outcome, cause)[2])}"]
    except NotComputableError as error:
        return str(error).replace(": ", ":\n")
    try:
        ratio, low, high, _ = hazard_ratio(rows["time_days"], rows["cause"] == cause, rows["high"])
        lines.append(f"HR {value_text(ratio, low, high)}")
    except NotComputableError as error:
        lines.append(str(error).replace(": ", ":\n"))
    return "\n".join(lines)

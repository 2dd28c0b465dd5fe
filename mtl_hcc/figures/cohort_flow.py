"""Who was screened, left out and analyzed? A flow diagram, as reporting guidelines ask for."""

import textwrap
from typing import TYPE_CHECKING

import pandas as pd

from mtl_hcc.figures.canvas import describe, empty_figure, split_color
from mtl_hcc.split_names import in_split_order
from mtl_hcc.tables.cohort_flow_table import LEFT_OUT, SCREENED, outcomes
from mtl_hcc.tables.cohort_flow_table import cohort_flow as flow_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.1
"""Inches: the full width of a journal's page."""
LINE = 0.15
"""Height of a line of text, in inches."""
GAP = 0.35
MOST_REASONS = 6
MOST_CENTERS = 6


def cohort_flow(
    patients: pd.DataFrame,
    quarantine: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> "Figure":
    """Draw boxes for the screened, the left out with reasons, the analyzed, and each split.

    Args:
        patients: The analyzed patients.
        quarantine: ``patient_id, step, reason``.
        models: Where each was fitted, if that is known.
    """
    table = flow_table(patients, quarantine, models)
    splits = in_split_order(patients["split"].dropna().unique()) if "split" in patients else []
    screened = _screened(table)
    reasons = _reasons(table)
    analyzed = ["Analyzed", f"n = {len(patients)}", *_wrapped(outcomes(patients), 60)]
    parts = {split: _split_lines(patients[patients["split"] == split]) for split in splits}
    lines = [screened, reasons, analyzed, max(parts.values(), key=len, default=[])]
    tall = [len(part) * LINE + 0.2 if part else 0.0 for part in lines]
    height = sum(tall) + GAP * (1 + bool(screened)) + 0.1
    figure = empty_figure(WIDTH, height)
    figure.set_layout_engine("none")  # boxes are placed in inches
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    top, middle = height - 0.05, WIDTH / 2
    if screened:
        _box(axes, middle, top, 2.4, screened)
        bottom = top - tall[0]
        below = bottom - GAP - (tall[1] if reasons else 0)
        _arrow(axes, (middle, bottom), (middle, below))
        if reasons:
            aside = bottom - GAP / 2
            _arrow(axes, (middle, aside - tall[1] / 2), (middle + 0.45, aside - tall[1] / 2))
            wide = 3.0 if len(reasons) > 1 else 1.3
            _box(axes, middle + 0.45 + wide / 2, aside, wide, reasons, left=True)
        top = below
    _box(axes, middle, top, 4.6, analyzed)
    bottom, top = top - tall[2], top - tall[2] - GAP
    each = WIDTH / max(1, len(parts))
    for place, (split, text) in enumerate(parts.items()):
        center = (place + 0.5) * each
        _arrow(axes, (middle, bottom), (center, top))
        color = split_color(split, place)
        _box(axes, center, top, min(each - 0.15, 3.2), [split, *text[1:]], color=color)
    said = str(table.attrs["caption"]).partition(" Detail: ")[0]
    return describe(
        figure, f"{said} Numbers: patients with the event (with MVI) among those known."
    )


def _screened(table: pd.DataFrame) -> list[str]:
    rows = table.loc[table["Step"] == SCREENED, "Patients"]
    return [] if rows.empty else ["Screened", f"n = {rows.iloc[0]}"]


def _reasons(table: pd.DataFrame) -> list[str]:
    """Return the text of the box of those left out; empty when the screened are not known."""
    if not (table["Step"] == SCREENED).any():
        return []
    rows = table[table["Step"] == LEFT_OUT]
    lines = [f"Left out: n = {rows['Patients'].sum()}"]
    for number, reason in zip(
        rows["Patients"].head(MOST_REASONS), rows["Detail"].head(MOST_REASONS), strict=True
    ):
        first, *more = textwrap.wrap(f"{number}: {reason}", 44)[:3]
        lines += [first, *(f"    {line}" for line in more)]
    if len(rows) > MOST_REASONS:
        lines.append(f"{rows['Patients'].iloc[MOST_REASONS:].sum()}: other reasons (see the table)")
    return lines


def _split_lines(inside: pd.DataFrame) -> list[str]:
    centers = sorted(inside["center"].fillna("unknown").astype(str).unique())
    named = f": {', '.join(centers)}" if len(centers) <= MOST_CENTERS else ""
    lines = ["", f"n = {len(inside)}"]
    lines += _wrapped(f"{len(centers)} center{'s' if len(centers) > 1 else ''}{named}", 30)
    if "fold" in inside and inside["fold"].nunique() > 1:
        lines.append(f"in {inside['fold'].nunique()} folds")
    return lines + outcomes(inside).split(", ")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) if text else []


def _box(
    axes: "Axes",
    center: float,
    top: float,
    width: float,
    lines: list[str],
    *,
    color: str = "#000000",
    left: bool = False,
) -> None:
    """Draw a box whose first line is bold."""
    from matplotlib.patches import FancyBboxPatch

    height = len(lines) * LINE + 0.2
    box = FancyBboxPatch(
        (center - width / 2, top - height),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="white",
        edgecolor=color,
        linewidth=1.2,
    )
    axes.add_patch(box)
    for place, line in enumerate(lines):
        axes.text(
            center - width / 2 + 0.1 if left else center,
            top - 0.1 - (place + 0.5) * LINE,
            line,
            ha="left" if left else "center",
            va="center",
            fontsize=8,
            fontweight="bold" if place == 0 else "normal",
        )


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.3", "lw": 0.9})

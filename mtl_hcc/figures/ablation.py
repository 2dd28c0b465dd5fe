"""Which part of the design helps? Differences of the variants from the full design."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.canvas import BLACK, BLUE, VERMILION, describe, empty_figure, note, plain_axes
from mtl_hcc.metrics.seed_averages import ALL_SEEDS
from mtl_hcc.tables.ablation_table import caption, main_rows, outcome_name, variant_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRAY = "#999999"
TEXT_SIZE = 8


def ablation(ablation: pd.DataFrame) -> "Figure":
    """Draw a forest of differences: a panel per task, a row per variant, dots for single seeds.

    Left of zero the variant is worse than the full design. Filled squares: the interval does not
    cover zero.

    Args:
        ablation: Table of ``ablation.csv``.
    """
    rows = main_rows(ablation)
    rows = rows[rows["difference"].notna()]
    if rows.empty:
        figure = empty_figure(7.1, 2)
        note(figure.add_subplot(), "no variant beside the full design")
        return describe(figure, "No ablation: no variant was trained beside the full design.")
    tasks, drawn = list(rows["task"].unique()), set(rows["variant"])
    variants = [str(name) for name in ablation["variant"].unique() if name in drawn]
    figure = empty_figure(7.1, 1.1 + 0.2 * len(variants))
    panels = figure.subplots(1, len(tasks), sharex=True, sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        _forest(axes, rows[rows["task"] == task], variants)
        _seeds(axes, _of_seeds(ablation, rows[rows["task"] == task]), variants)
    panels[0].set_yticks(range(len(variants)), [variant_name(name) for name in variants])
    panels[0].set_ylim(len(variants) - 0.5, -0.5)
    figure.supxlabel("Variant minus full design (95% interval)", fontsize=TEXT_SIZE)
    return describe(
        figure,
        f"{caption(rows)} Squares: means over seeds, filled where the interval excludes zero "
        "(orange: worse than the full design); dots: single seeds.",
    )


def _forest(axes: "Axes", rows: pd.DataFrame, variants: list[str]) -> None:
    plain_axes(axes).tick_params(labelsize=TEXT_SIZE)
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.set_title(outcome_name(str(rows["task"].iloc[0]), str(rows["metric"].iloc[0])), fontsize=9)
    axes.locator_params(axis="x", nbins=4)
    for _, row in rows.iterrows():
        height = variants.index(str(row["variant"]))
        low, high = float(row["ci_low"]), float(row["ci_high"])
        certain = low > 0 or high < 0
        color = VERMILION if certain and high < 0 else BLUE
        if np.isfinite(low):
            axes.plot([low, high], [height, height], color=color, linewidth=1.2)
        face = color if certain else "white"
        axes.plot(
            float(row["difference"]), height, "s", color=color, markerfacecolor=face, markersize=5
        )


def _of_seeds(ablation: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of single seeds of the same split, task and metric."""
    first = rows.iloc[0]
    keys = ["split", "task", "metric"]
    same = (ablation[keys] == first[keys]).all(axis=1)
    return ablation[same & (ablation["seed"].astype(str) != ALL_SEEDS)]


def _seeds(axes: "Axes", rows: pd.DataFrame, variants: list[str]) -> None:
    """Draw the differences of single seeds, small, a little below the mean."""
    rows = rows[rows["difference"].notna() & rows["variant"].isin(variants)]
    heights = [variants.index(name) + 0.28 for name in rows["variant"]]
    axes.plot(rows["difference"], heights, ".", color=GRAY, markersize=3, zorder=1)

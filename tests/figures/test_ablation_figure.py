"""The forest of an ablation: what is drawn where."""

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures.ablation import ablation
from mtl_hcc.figures.canvas import BLUE, VERMILION, caption_of


@pytest.fixture
def table() -> pd.DataFrame:
    """Return two variants beside the design, two seeds; the second has one task."""
    rows = []
    for variant, low, high in (("full", 0, 0), ("no_bank", -0.1, -0.02), ("mvi_alone", -0.1, 0.1)):
        for task, metric in (("os", "concordance_harrell"), ("mvi", "auc")):
            if (variant, task) == ("mvi_alone", "os"):
                continue
            for seed in ("0", "1", "all"):
                difference = (low + high) / 2 + {"0": -0.01, "1": 0.01, "all": 0.0}[seed]
                row = {"variant": variant, "seed": seed, "split": "external", "task": task}
                row |= {"metric": metric, "value": 0.7, "n": 80, "events": 30}
                row |= {"difference": difference, "ci_low": low, "ci_high": high}
                rows.append(row | {"method": "mean of 2 seeds; paired bootstrap"})
    made = pd.DataFrame(rows)
    made.loc[made["variant"] == "full", ["difference", "ci_low", "ci_high"]] = np.nan
    return made


def test_there_is_a_panel_for_each_task_and_a_row_for_each_variant(table):
    figure = ablation(table)
    assert [axes.get_title() for axes in figure.axes] == ["OS C-index", "MVI AUC"]
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["no bank", "mvi alone"], "in the order of the table"
    assert figure.axes[0].yaxis_inverted(), "the first variant is on top"


def test_intervals_and_means_lie_where_the_table_says(table):
    zero, interval, mean, dots = ablation(table).axes[0].lines
    assert zero.get_xdata() == [0, 0]
    assert list(interval.get_xdata()) == [-0.1, -0.02]
    assert list(interval.get_ydata()) == [0, 0]
    assert mean.get_xdata()[0] == pytest.approx(-0.06)
    assert sorted(dots.get_xdata()) == pytest.approx([-0.07, -0.05])


def test_only_what_excludes_zero_is_filled_and_a_loss_has_its_color(table):
    lines = ablation(table).axes[1].lines
    worse, open_one = lines[2], lines[4]
    assert worse.get_color() == worse.get_markerfacecolor() == VERMILION
    assert (open_one.get_color(), open_one.get_markerfacecolor()) == (BLUE, "white")


def test_the_caption_says_sizes_and_marks(table):
    said = caption_of(ablation(table))
    assert "OS: n = 80, 30 events" in said
    assert "dots: single seeds" in said


def test_without_a_variant_the_figure_says_so(table):
    alone = table[table["variant"] == "full"]
    figure = ablation(pd.DataFrame(alone))
    assert "no variant beside the full design" in figure.axes[0].texts[0].get_text()
    assert "No ablation" in caption_of(figure)


def test_a_difference_without_an_interval_is_still_drawn(table):
    table[["ci_low", "ci_high"]] = np.nan
    lines = ablation(table).axes[0].lines
    assert len(lines) == 3, "zero, mean, dots"

"""The main metrics of all models, at their values."""

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.key_results import key_results


def row(model, split, value, **more):
    given = {
        "model": model, "split": split, "center": "all", "task": "os",
        "metric": "concordance_harrell", "value": value, "ci_low": value - 0.1,
        "ci_high": value + 0.1, "n": 50, "events": 20, "method": "percentile bootstrap",
    }  # fmt: skip
    return given | more


@pytest.fixture
def metrics():
    rows = [
        row("network", "train", 0.9),
        row("network", "external", 0.7),
        row("network", "external", 0.6, center="I"),
        row("oracle", "external", 0.8, ci_low=np.nan, ci_high=np.nan),
    ]
    return pd.DataFrame(rows)


def points(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]


def test_pooled_values_of_unseen_patients_are_drawn_the_oracle_hollow(metrics):
    figure = key_results(metrics)
    (axes,) = figure.axes
    assert points(axes) == [0.7, 0.8]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["network", "oracle"]
    faces = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"]
    assert faces[1] == "white"
    assert axes.get_title() == "OS, external\nn = 50, 20 events"
    intervals = [list(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert pytest.approx([0.6, 0.8]) in intervals
    assert "beside oracle, on external" in caption_of(figure)


def test_a_model_that_was_only_trained_is_shown_on_its_training_patients(metrics):
    figure = key_results(metrics[metrics["split"] == "train"])
    assert points(figure.axes[0]) == [0.9]


def test_nothing_to_show_is_said(metrics):
    figure = key_results(metrics.assign(value=np.nan))
    assert "could be computed" in figure.axes[0].texts[0].get_text()

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.forest import ForestColumns, ForestRow, draw_forest, forest_panels
from mtl_hcc.figures.forest_by_center import forest_by_center
from mtl_hcc.figures.forest_regression import forest_regression

COLUMNS = ForestColumns(heads=("Name", "Value"), at=(0.01, 0.7), plot=(0.3, 0.65))


@pytest.fixture
def centers():
    """Metrics and predictions of five centers, two of them without an estimate."""
    metrics = pd.DataFrame(
        {
            "model": "network",
            "split": "external",
            "center": ["all", "I", "II", "III", "IV", "V"],
            "task": "mvi",
            "metric": "auc",
            "horizon_days": np.nan,
            "value": [0.7, 0.75, 0.62, 0.66, 0.9, 0.7],
            "ci_low": [0.6, 0.66, 0.51, 0.5, 0.7, 0.6],
            "ci_high": [0.8, 0.82, 0.72, 0.8, 1.0, 0.78],
            "n": [400, 100, 90, 80, 30, 100],
            "events": [128, 40, 30, 3, 15, 40],
            "method": "",
        }
    )
    names = pd.DataFrame(
        {"patient_id": list("abcde"), "split": "external", "center": metrics["center"][1:]}
    )
    return metrics, names


def test_an_estimate_is_a_square_on_its_interval_and_ends_beyond_are_arrows():
    rows = [ForestRow("a", (), "1.2", 1.2, 0.8, 1.9), ForestRow("b", (), "9", 9.0, 1.5, 40.0)]
    figure, (axes,) = forest_panels([rows], COLUMNS)
    axes.set_xscale("log")
    axes.set_xlim(0.5, 10)
    draw_forest(axes, rows, COLUMNS, reference=1.0)
    figure.draw_without_rendering()
    lines = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [list(map(float, line)) for line in lines] == [[1.0, 1.0], [0.8, 1.9], [1.5, 10.0]]
    markers = [(line.get_marker(), float(line.get_xdata()[0])) for line in axes.lines]
    assert ("s", 1.2) in markers
    assert (">", 10.0) in markers


def test_centers_are_drawn_with_their_numbers_and_a_pooled_diamond(centers):
    figure = forest_by_center(*centers)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert {"I", "II", "III", "IV", "V", "Pooled (3 centers)"} <= set(said)
    assert "not estimable: too few events (3)" in said
    assert "0.75 (0.66-0.82)" in said
    assert len(axes.patches) == 1
    squares = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
    assert squares == pytest.approx([0.75, 0.62, 0.7])
    assert "random effects" in caption_of(figure)


def test_two_centers_are_drawn_without_a_diamond_and_told_why(centers):
    metrics, names = centers
    figure = forest_by_center(metrics[metrics["center"] != "V"], names)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert {"Not pooled", "fewer than three centers with an estimate"} <= set(said)
    assert len(axes.patches) == 0


@pytest.mark.parametrize("without", [[], ["V"]])
def test_no_text_leaves_the_figure(centers, without):
    metrics, names = centers
    figure = forest_by_center(metrics[~metrics["center"].isin(without)], names)
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= width


def test_regression_draws_ratios_by_outcome(predictions):
    rng = np.random.default_rng(2)
    rows = predictions[predictions["task"] == "os"]
    patients = rows[["patient_id", "split"]].assign(
        os_days=rows["time_days"],
        os_event=rows["event"],
        tumor_diameter_mm=50 + 10 * rows["risk"] + 5 * rng.normal(size=len(rows)),
    )
    figure = forest_regression(patients, predictions)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert axes.get_xlabel() == "Hazard ratio of OS"
    assert "Clinical (train rows, n = 60)" in said
    assert "  Network (OS), per SD" in said
    assert "Cox regression" in caption_of(figure)


def test_nothing_to_draw_is_said():
    bare = pd.DataFrame({"patient_id": ["a", "b"], "os_days": [3.0, 4.0], "os_event": [1.0, 0.0]})
    figure = forest_regression(bare)
    figure.draw_without_rendering()
    assert "no model of several variables" in figure.axes[0].texts[0].get_text()
    metrics = pd.DataFrame({"metric": ["f1"], "model": "m", "split": "test", "center": "all",
                            "value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 3, "events": 1,
                            "task": "mvi", "method": ""})  # fmt: skip
    nobody = pd.DataFrame({"patient_id": ["a"], "split": ["test"], "center": ["I"]})
    assert "No unseen center" in caption_of(forest_by_center(metrics, nobody))

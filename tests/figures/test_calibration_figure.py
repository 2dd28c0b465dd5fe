import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures.calibration import calibration
from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.metrics.calibration.calibration_curve import calibration_groups


@pytest.fixture
def with_survival(predictions):
    """The predictions of the figures' tests with the survival of an exponential model."""
    hazard = np.exp(predictions["risk"]) / 900
    return predictions.assign(survival_365=np.exp(-365 * hazard))


def texts(axes):
    return [text.get_text() for text in axes.texts]


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def test_a_panel_per_task_and_split_with_its_numbers(with_survival):
    figure = calibration(with_survival, bootstraps=50)
    drawn = panels(figure)
    assert list(drawn) == [
        "OS at 1 year, train",
        "OS at 1 year, external",
        "MVI, train",
        "MVI, external",
    ]
    (numbers,) = texts(drawn["OS at 1 year, train"])
    assert [line.split(" ")[0] for line in numbers.splitlines()] == ["Slope", "Intercept", "ICI"]
    assert "60 patients" in caption_of(figure)
    figure.draw_without_rendering()


def test_the_points_are_the_groups_and_the_histogram_counts_everybody(with_survival):
    figure = calibration(with_survival, bootstraps=20)
    axes = panels(figure)["OS at 1 year, train"]
    rows = with_survival.query("task == 'os' and split == 'train'")
    expected = calibration_groups(rows, horizon_days=365).dropna(subset=["observed"])
    points = next(container for container in axes.containers).lines[0]
    assert points.get_xdata() == pytest.approx(expected["predicted"])
    assert points.get_ydata() == pytest.approx(expected["observed"])
    below = figure.axes[figure.axes.index(axes) + 1]
    assert sum(bar.get_height() for bar in below.patches) == 60


def test_a_panel_that_cannot_be_drawn_says_why(with_survival):
    external = with_survival["split"] == "external"
    with_survival.loc[external, ["label", "event"]] = np.nan
    with_survival.loc[~external & (with_survival["task"] == "mvi"), "label"] = 1.0
    drawn = panels(calibration(with_survival, bootstraps=20))
    said = " ".join(texts(drawn["OS at 1 year, external"])).replace("\n", " ")
    assert "no patient with a known outcome" in said
    numbers, why = sorted(texts(drawn["MVI, train"]))
    assert why.replace("\n", " ") == "no curve: only one class among the labels"
    assert numbers.splitlines() == ["Slope -", "Intercept -", "ICI -"]


def test_without_probabilities_the_figure_says_so(predictions):
    figure = calibration(predictions[predictions["task"] == "os"])
    assert "no task with probabilities" in texts(figure.axes[0])[0]


def test_patients_repeated_over_folds_have_no_interval_of_the_groups(with_survival):
    twice = pd.concat([with_survival, with_survival.assign(fold=1)])
    groups = calibration_groups(twice[twice["task"] == "mvi"])
    assert groups[["ci_low", "ci_high"]].isna().all(axis=None)
    calibration(twice, bootstraps=20).draw_without_rendering()

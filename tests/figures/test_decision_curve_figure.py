import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.decision_curve import decision_curve
from mtl_hcc.metrics.net_benefit import TREAT_ALL, TREAT_NONE


@pytest.fixture
def two_models(predictions):
    """A network with survival at one year, and a baseline that knows the MVI only."""
    network = predictions.assign(
        model="network", survival_365=np.exp(-365 * np.exp(predictions["risk"]) / 900)
    )
    size = predictions[predictions["task"] == "mvi"].assign(model="size", probability=0.4)
    return pd.concat([network, size], ignore_index=True)


def drawn(figure, title):
    (axes,) = [axes for axes in figure.axes if axes.get_title(loc="left") == title]
    return axes, [line.get_label() for line in axes.lines]


def test_models_all_and_none_stand_in_a_panel_with_one_legend(two_models):
    figure = decision_curve(two_models, bootstraps=30)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["network", "size", TREAT_ALL, TREAT_NONE]
    assert len(drawn(figure, "MVI, train")[1]) == 4
    assert len(drawn(figure, "OS at 1 year, train")[1]) == 3  # size predicts no survival
    assert "other lines: size" in caption_of(figure)
    figure.draw_without_rendering()


def test_treating_all_at_the_lowest_threshold_is_about_the_share_of_events(two_models):
    axes, _ = drawn(decision_curve(two_models, bootstraps=10), "MVI, train")
    rows = two_models.query("task == 'mvi' and split == 'train' and model == 'network'")
    share = rows["label"].mean()
    treat_all = axes.lines[1]
    assert treat_all.get_xdata()[0] == pytest.approx(0.01)
    assert treat_all.get_ydata()[0] == pytest.approx(100 * (share - (1 - share) / 99))


def test_thresholds_end_where_few_are_treated(two_models):
    axes, _ = drawn(decision_curve(two_models, bootstraps=10), "MVI, train")
    of_mvi = two_models.query("task == 'mvi' and model == 'network'")
    end = of_mvi.groupby("split")["probability"].quantile(0.95).min()
    assert axes.get_xlim()[1] == pytest.approx(min(end, 0.95), abs=0.011)


def test_a_panel_without_outcomes_says_so(two_models):
    two_models.loc[two_models["split"] == "external", ["label", "event"]] = np.nan
    axes, _ = drawn(decision_curve(two_models, bootstraps=10), "MVI, external")
    assert "no patient" in axes.texts[0].get_text()


def test_without_probabilities_the_figure_says_so(predictions):
    figure = decision_curve(predictions[predictions["task"] == "os"])
    assert "no task with probabilities" in figure.axes[0].texts[0].get_text()

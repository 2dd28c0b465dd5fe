import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from mtl_hcc.figures.kaplan_meier import DAYS_PER_YEAR, high_risk, kaplan_meier


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_curves_drawn_are_those_of_lifelines_for_groups_cut_at_the_training_median(predictions):
    figure = kaplan_meier(predictions)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["OS, train (n = 60)", "OS, external (n = 40)"]
    os = predictions[predictions["task"] == "os"]
    median = os.loc[os["split"] == "train", "risk"].median()
    for axes, split in zip(panels, ("train", "external"), strict=True):
        rows = os[os["split"] == split]
        lines = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
        for line, group in zip(
            lines, (rows[rows["risk"] <= median], rows[rows["risk"] > median]), strict=True
        ):
            fitted = KaplanMeierFitter().fit(group["time_days"], group["event"])
            expected = fitted.survival_function_["KM_estimate"]
            assert np.asarray(line.get_xdata()) * DAYS_PER_YEAR == pytest.approx(expected.index)
            assert line.get_ydata() == pytest.approx(expected.to_numpy())


def test_the_number_at_risk_stands_under_the_curves(predictions):
    figure = kaplan_meier(predictions)
    below = [axes for axes in figure.axes if axes.get_title(loc="left") == "Number at risk"]
    numbers = [int(text) for text in texts(below[0])]
    assert numbers[0] + numbers[len(numbers) // 2] == 60
    train = predictions.query("task == 'os' and split == 'train'")
    low = train[train["risk"] <= train["risk"].median()]
    assert numbers[1] == (low["time_days"] >= DAYS_PER_YEAR).sum()


def test_the_log_rank_p_is_shown_unless_patients_repeat(predictions):
    assert "log-rank p" in texts(kaplan_meier(predictions).axes[0])[0]
    twice = pd.concat([predictions, predictions.assign(fold=1)])
    assert texts(kaplan_meier(twice).axes[0]) == ["no p: patients repeat over folds"]


def test_without_a_train_split_the_rule_says_so(predictions):
    external = predictions[(predictions["split"] == "external") & (predictions["task"] == "os")]
    high, rule = high_risk(external)
    assert rule == "cut at the median of all"
    assert high.sum() == 20


def test_unknown_outcomes_and_missing_tasks_give_a_figure_that_says_so(predictions):
    predictions.loc[predictions["split"] == "external", "time_days"] = np.nan
    assert "no patient with a known outcome" in texts(kaplan_meier(predictions).axes[2])
    none = kaplan_meier(predictions[predictions["task"] == "mvi"])
    assert texts(none.axes[0]) == ["no survival task among the predictions"]

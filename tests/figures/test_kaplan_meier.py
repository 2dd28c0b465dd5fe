import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.kaplan_meier import kaplan_meier
from mtl_hcc.figures.risk_group_panels import DAYS_PER_YEAR
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_curves_drawn_are_those_of_lifelines_for_groups_cut_at_the_training_median(predictions):
    figure = kaplan_meier(predictions)
    panels = [axes for axes in figure.axes if axes.get_title()]
    known = predictions[predictions["task"] == "os"].groupby("split")["event"].sum()
    assert [axes.get_title() for axes in panels] == [
        f"OS, {split}\nn = {number}, {int(events)} events"
        for split, number, events in (
            ("train", 60, known["train"]),
            ("external", 40, known["external"]),
        )
    ]
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


def test_bands_are_those_of_lifelines_in_each_group(predictions):
    axes = kaplan_meier(predictions).axes[0]
    train = predictions.query("task == 'os' and split == 'train'")
    low = train[train["risk"] <= train["risk"].median()]
    band = KaplanMeierFitter().fit(low["time_days"], low["event"]).confidence_interval_
    corners = axes.collections[0].get_paths()[0].vertices
    for column in (0, 1):
        heights = band.iloc[:, column].dropna().unique()
        assert np.isclose(corners[:, 1], heights[:, None], atol=1e-9).any(axis=1).all()


def test_hazard_ratio_and_log_rank_p_are_shown_unless_patients_repeat(predictions):
    figure = kaplan_meier(predictions)
    metrics = evaluate_predictions(predictions, bootstraps=0)
    metrics = metrics.query("task == 'os' and split == 'external'").set_index("metric")
    ratio, p = metrics.loc["hazard_ratio"], metrics.loc["logrank_p", "value"]
    (shown,) = texts(figure.axes[2])
    low, high = ratio["ci_low"], ratio["ci_high"]
    assert shown.splitlines()[0] == f"HR {ratio['value']:.2f} ({low:.2f}-{high:.2f})"
    assert shown.splitlines()[1] == f"log-rank p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    twice = pd.concat([predictions, predictions.assign(fold=1)])
    figure = kaplan_meier(twice)
    assert texts(figure.axes[0]) == ["patients repeat over folds:\nno interval, no p"]
    assert not figure.axes[0].collections, "no bands"
    assert "not independent" in caption_of(figure)


def test_a_group_without_event_has_no_ratio_but_a_p(predictions):
    os = predictions[(predictions["task"] == "os") & (predictions["split"] == "train")].copy()
    os.loc[os["risk"] <= os["risk"].median(), "event"] = 0
    (shown,) = texts(kaplan_meier(os).axes[0])
    assert shown.startswith("no event in the low-risk group:\nthe hazard ratio has no finite")
    assert "log-rank p" in shown


def test_the_caption_says_patients_events_and_the_cut_off(predictions):
    caption = caption_of(kaplan_meier(predictions))
    assert "OS, train: n = 60" in caption
    assert "cut at the median risk of train" in caption


def test_without_a_train_split_the_caption_says_so(predictions):
    external = predictions[(predictions["split"] == "external") & (predictions["task"] == "os")]
    caption = caption_of(kaplan_meier(external))
    assert "cut at the median risk of these rows, as no train rows are known" in caption


def test_unknown_outcomes_and_missing_tasks_give_a_figure_that_says_so(predictions):
    predictions.loc[predictions["split"] == "external", "time_days"] = np.nan
    assert "no patient with\na known outcome" in texts(kaplan_meier(predictions).axes[2])
    none = kaplan_meier(predictions[predictions["task"] == "mvi"])
    assert texts(none.axes[0]) == ["no survival task among the predictions"]


def test_a_score_that_is_mostly_high_is_drawn_in_two_groups_and_the_legend_says_how(predictions):
    os = predictions[predictions["task"] == "os"]
    ill = os["risk"] > os["risk"].quantile(0.3)
    rfs = os.assign(task="rfs")
    both = pd.concat([os.assign(risk=1.0 * ill), rfs], ignore_index=True)
    figure = kaplan_meier(both)
    numbers = next(axes for axes in figure.axes if axes.get_title(loc="left"))
    first = [int(text) for text in texts(numbers)][:: len(texts(numbers)) // 2]
    train = os["split"] == "train"
    assert first == [(train & ~ill).sum(), (train & ill).sum()]
    said = (
        "OS cut at the median risk of train; nobody there is above it, so high risk is at it; RFS "
        "cut at the median risk of train"
    )
    assert said in caption_of(figure)
    (legend,) = figure.legends
    assert legend.get_title().get_text().replace("\n", " ") == said
    figure.draw_without_rendering()
    assert legend.get_window_extent().width < figure.bbox.width

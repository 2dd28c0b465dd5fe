import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, roc_auc_score, roc_curve

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.class_panels import first_style
from mtl_hcc.figures.roc import mean_roc_points, roc, roc_points
from mtl_hcc.metrics.classification.auc import delong_interval
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions


def area_of_first(axes) -> float:
    (line,) = [line for line in axes.lines if line.get_color() == first_style()["color"]]
    return auc(line.get_xdata(), line.get_ydata())


def test_the_curves_drawn_have_the_area_that_the_panel_says_with_delongs_interval(predictions):
    for axes, split in zip(roc(predictions).axes, ("train", "external"), strict=True):
        assert axes.get_title() == f"MVI, {split}"
        rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == split)]
        expected = roc_auc_score(rows["label"], rows["probability"])
        assert area_of_first(axes) == pytest.approx(expected)
        low, high = delong_interval(rows["label"], rows["probability"])
        assert axes.texts[0].get_text() == f"AUC {expected:.2f}\n({low:.2f}-{high:.2f})"


def test_the_caption_says_the_models_and_how_many_patients(predictions):
    worse = predictions.assign(model="tumor size", probability=1 - predictions["probability"])
    caption = caption_of(roc(pd.concat([predictions.assign(model="network"), worse])))
    mvi = predictions[predictions["task"] == "mvi"]
    positive = int(mvi.loc[mvi["split"] == "train", "label"].sum())
    assert f"MVI, train: 60 patients, {positive} positive" in caption
    assert "Strong line: network" in caption
    assert "gray lines: tumor size" in caption
    assert "DeLong" in caption


def test_the_points_are_those_of_scikit_learn_with_ties():
    label, probability = [0, 1, 1, 0, 1, 0], [0.1, 0.5, 0.5, 0.5, 0.9, 0.2]
    expected = roc_curve(label, probability, drop_intermediate=False)
    found = roc_points(label, probability)
    assert found[0] == pytest.approx(expected[0])
    assert found[1] == pytest.approx(expected[1])


def test_with_folds_the_area_is_the_auc_within_folds_of_metrics_csv(predictions):
    rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == "external")]
    rows = rows.assign(fold=np.arange(len(rows)) % 3)
    # Each fold's scores on a scale of its own, which pooling would mistake for a difference.
    rows["probability"] = rows["probability"] ** (1 + rows["fold"])
    metrics = evaluate_predictions(rows, bootstraps=0)
    value = metrics.loc[metrics["metric"] == "auc", "value"].iloc[0]
    assert auc(*mean_roc_points(rows)) == pytest.approx(value, abs=1e-6)
    assert area_of_first(roc(rows).axes[0]) == pytest.approx(value, abs=1e-6)


def test_one_class_only_is_said_in_the_panel(predictions):
    predictions.loc[predictions["split"] == "external", "label"] = 1
    predictions.loc[predictions["split"] == "train", "label"] = np.nan
    texts = [axes.texts[0].get_text() for axes in roc(predictions).axes]
    assert texts == ["no patient with\na label", "one class only"]


def test_without_a_two_class_task_the_figure_says_so(predictions):
    figure = roc(pd.DataFrame(predictions[predictions["task"] == "os"]))
    assert "no two-class task" in figure.axes[0].texts[0].get_text()

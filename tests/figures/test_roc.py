import pandas as pd
import pytest
from sklearn.metrics import auc, roc_auc_score, roc_curve

from mtl_hcc.figures.roc import roc, roc_points


def test_the_curves_drawn_have_the_area_that_the_legend_says(predictions):
    axes = roc(predictions).axes[0]
    assert axes.get_title() == "MVI"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    for line, split, label in zip(axes.lines[1:], ("train", "external"), labels, strict=True):
        rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == split)]
        expected = roc_auc_score(rows["label"], rows["probability"])
        assert auc(line.get_xdata(), line.get_ydata()) == pytest.approx(expected)
        assert label == f"{split}: {expected:.3f} (n = {len(rows)})"


def test_the_points_are_those_of_scikit_learn_with_ties():
    label, probability = [0, 1, 1, 0, 1, 0], [0.1, 0.5, 0.5, 0.5, 0.9, 0.2]
    expected = roc_curve(label, probability, drop_intermediate=False)
    found = roc_points(label, probability)
    assert found[0] == pytest.approx(expected[0])
    assert found[1] == pytest.approx(expected[1])


def test_one_class_only_is_said_in_the_legend(predictions):
    predictions.loc[predictions["split"] == "external", "label"] = 1
    labels = [text.get_text() for text in roc(predictions).axes[0].get_legend().get_texts()]
    assert labels[1] == "external: one class only"


def test_without_a_two_class_task_the_figure_says_so(predictions):
    figure = roc(pd.DataFrame(predictions[predictions["task"] == "os"]))
    assert "no two-class task" in figure.axes[0].texts[0].get_text()

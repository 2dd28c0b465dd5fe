import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.class_panels import first_style
from mtl_hcc.figures.precision_recall import mean_precision_points, precision_recall
from mtl_hcc.metrics.classification.average_precision import average_precision


def area_of_first(axes) -> float:
    (line,) = [line for line in axes.lines if line.get_color() == first_style()["color"]]
    recall, precision = line.get_xdata(orig=True), line.get_ydata(orig=True)
    return float(np.sum(np.diff(recall) * precision[1:]))


def test_the_steps_drawn_have_the_average_precision_that_the_panel_says(predictions):
    for axes, split in zip(precision_recall(predictions).axes, ("train", "external"), strict=True):
        rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == split)]
        expected = average_precision_score(rows["label"], rows["probability"])
        assert area_of_first(axes) == pytest.approx(expected)
        assert axes.texts[0].get_text().startswith(f"AP {expected:.2f}\n(")
        prevalence = axes.lines[0].get_ydata()[0]
        assert prevalence == pytest.approx(rows["label"].mean())


def test_with_folds_the_area_is_the_average_precision_within_folds(predictions):
    rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == "external")]
    rows = rows.assign(fold=np.arange(len(rows)) % 3)
    recall, precision = mean_precision_points(rows)
    area = float(np.sum(np.diff(recall) * precision[1:]))
    expected = average_precision(rows["label"], rows["probability"], strata=rows["fold"])
    assert area == pytest.approx(expected)


def test_other_models_are_drawn_in_gray_and_named(predictions):
    worse = predictions.assign(model="AFP", probability=1 - predictions["probability"])
    figure = precision_recall(pd.concat([predictions.assign(model="network"), worse]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["network", "AFP"]
    assert len(figure.axes[0].lines) == 3, "prevalence, network, AFP"
    assert "prevalence" in caption_of(figure)


def test_a_split_without_labels_is_said(predictions):
    predictions.loc[predictions["split"] == "external", "label"] = np.nan
    texts = [axes.texts[0].get_text() for axes in precision_recall(predictions).axes]
    assert texts[1] == "no patient with\na label"

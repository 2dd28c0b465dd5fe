import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.confusion_matrix import confusion_matrix
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.thresholds import with_threshold


def graded(predictions: pd.DataFrame) -> pd.DataFrame:
    rows = predictions[predictions["task"] == "mvi"].drop(columns="probability")
    rng = np.random.default_rng(1)
    rows = rows.assign(task="mvi_grade", label=rng.integers(0, 3, len(rows)).astype(float))
    rows[["probability_0", "probability_1", "probability_2"]] = rng.dirichlet([1, 1, 1], len(rows))
    return rows


def numbers(axes) -> list[int]:
    return [int(text.get_text().split("\n")[0]) for text in axes.texts]


def test_the_numbers_are_those_of_scikit_learn_for_two_and_three_classes(predictions):
    grades = graded(predictions)
    figure = confusion_matrix(pd.concat([predictions, grades], ignore_index=True))
    assert [axes.get_title() for axes in figure.axes] == [
        "MVI, train (n = 60)", "MVI, external (n = 40)",
        "MVI GRADE, train (n = 60)", "MVI GRADE, external (n = 40)",
    ]  # fmt: skip
    for axes, split in zip(figure.axes[:2], ("train", "external"), strict=True):
        rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == split)]
        expected = sklearn_confusion(rows["label"], rows["probability"] >= 0.5)
        assert numbers(axes) == expected.ravel().tolist()
    rows = grades[grades["split"] == "external"]
    called = rows[[f"probability_{k}" for k in range(3)]].to_numpy().argmax(axis=1)
    assert numbers(figure.axes[3]) == sklearn_confusion(rows["label"], called).ravel().tolist()
    ticks = [tick.get_text() for tick in figure.axes[3].get_xticklabels()]
    assert ticks == ["M0", "M1", "M2"]
    caption = caption_of(figure)
    assert "MVI: threshold 0.5; MVI GRADE: most probable class" in caption


def test_a_threshold_in_the_table_is_used_and_said(predictions):
    table = with_threshold(check_predictions(predictions), 0.3)
    figure = confusion_matrix(table)
    rows = predictions[(predictions["task"] == "mvi") & (predictions["split"] == "train")]
    expected = sklearn_confusion(rows["label"], rows["probability"] >= 0.3)
    assert numbers(figure.axes[0]) == expected.ravel().tolist()
    assert "threshold 0.3" in caption_of(figure)


def test_shares_are_of_the_class_found(predictions):
    axes = confusion_matrix(predictions).axes[0]
    shares = [float(text.get_text().split("\n")[1].rstrip("%")) for text in axes.texts]
    assert shares[0] + shares[1] == pytest.approx(100, abs=1)
    assert shares[2] + shares[3] == pytest.approx(100, abs=1)


def test_an_absent_class_and_an_unlabeled_split_do_not_abort(predictions):
    predictions.loc[predictions["split"] == "external", "label"] = 1
    predictions.loc[predictions["split"] == "train", "label"] = np.nan
    figure = confusion_matrix(predictions)
    assert figure.axes[0].texts[0].get_text() == "no patient with\na known label"
    assert numbers(figure.axes[1])[:2] == [0, 0]


def test_without_classes_the_figure_says_so(predictions):
    figure = confusion_matrix(predictions[predictions["task"] == "os"])
    assert "no classification task" in figure.axes[0].texts[0].get_text()

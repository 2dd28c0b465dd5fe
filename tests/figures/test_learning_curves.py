import numpy as np
import pandas as pd
import pytest

from mtl_hcc.figures import FIGURES
from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.learning_curves import learning_curves


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "lr-AdamW": [1e-3] * 3,
            "train/loss_os": [3.0, 2.0, 1.0],
            "validation/loss_os": [3.5, np.nan, 3.0],
            "validation/c_index_os": [0.5, 0.6, 0.7],
            "train/loss": [4.0, 3.0, 2.0],
            "weights/os": [1.0, 0.9, 1.1],
            "weights/mvi": [1.0, 1.1, 0.9],
        }
    )


def drawn(figure):
    return {
        axes.get_title(): {
            line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
            for line in axes.lines
            if not line.get_label().startswith("_")
        }
        for axes in figure.axes
    }


def test_every_quantity_has_a_panel_with_train_and_validation(history):
    panels = drawn(learning_curves(history))
    assert list(panels) == ["Loss", "Loss OS", "C-index OS", "Task weights"]
    assert panels["Loss OS"] == {
        "train": ([0, 1, 2], [3.0, 2.0, 1.0]),
        "validation": ([0, 2], [3.5, 3.0]),
    }
    assert panels["Task weights"]["mvi"] == ([0, 1, 2], [1.0, 1.1, 0.9])


def test_the_epochs_of_several_folds_are_averaged(history):
    other = history.assign(**{"train/loss": [6.0, 5.0, 4.0]})
    panels = drawn(learning_curves(pd.concat([history, other])))
    assert panels["Loss"]["train"] == ([0, 1, 2], [5.0, 4.0, 3.0])


def test_the_kept_epoch_has_the_lowest_validation_loss_and_stands_in_the_caption(history):
    figure = learning_curves(history.assign(**{"validation/loss": [4.0, 2.0, 3.0]}))
    assert "3 epochs; dotted: epoch 1, " in caption_of(figure)
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [1]


def test_where_the_kept_epoch_was_logged_it_is_that_one_and_the_criterion_has_a_panel(history):
    logged = {
        "validation/loss": [2.0, 4.0, 3.0],
        "validation/criterion": [1.0, 0.9, 0.8],
        "validation/kept_epoch": [0.0, 1.0, 1.0],
    }
    figure = learning_curves(history.assign(**logged))
    assert "3 epochs; dotted: epoch 1, which is kept" in caption_of(figure)
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [1]
    assert drawn(figure)["Criterion"]["validation"] == ([0, 1, 2], [1.0, 0.9, 0.8])
    folds = [history.assign(**logged, fold=0)]
    folds.append(history.assign(**logged | {"validation/kept_epoch": [0.0, 0.0, 2.0]}, fold=1))
    text = caption_of(learning_curves(pd.concat(folds, ignore_index=True)))
    assert "kept of each fold: epoch 1, 2" in text
    assert "lowest" not in text


def test_each_fold_keeps_an_epoch_of_its_own(history):
    folds = [
        history.assign(**{"fold": fold, "validation/loss": losses})
        for fold, losses in enumerate([[4.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    ]
    figure = learning_curves(pd.concat(folds, ignore_index=True))
    assert "2 folds, up to 3 epochs" in caption_of(figure)
    assert "kept of each fold: epoch 1, 0" in caption_of(figure)


def test_an_empty_history_gives_a_figure_that_says_so():
    figure = learning_curves(pd.DataFrame())
    assert "no losses" in figure.axes[0].texts[0].get_text()


def test_all_figures_are_exported_under_their_names():
    assert {name: figure.__name__ for name, figure in FIGURES.items()} == {n: n for n in FIGURES}

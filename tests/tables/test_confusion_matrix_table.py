import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from mtl_hcc.tables.confusion_table import confusion_matrix


@pytest.fixture
def rows() -> pd.DataFrame:
    """MVI and its grade of 50 patients by two models."""
    rng = np.random.default_rng(2)
    who = pd.DataFrame(
        {"patient_id": range(50), "center": "I", "split": "test", "fold": 0, "model": "network"}
    )
    mvi = who.assign(task="mvi", label=rng.integers(0, 2, 50), probability=rng.random(50))
    grade = who.assign(task="mvi_grade", label=rng.integers(0, 3, 50))
    grade[["probability_0", "probability_1", "probability_2"]] = rng.dirichlet([1, 1, 1], 50)
    other = mvi.assign(model="AFP", probability=1 - mvi["probability"])
    return pd.concat([mvi, other, grade], ignore_index=True)


def test_each_class_found_has_a_row_with_numbers_and_recall(rows):
    table = confusion_matrix(rows)
    assert len(table) == 2 + 2 + 3
    mvi = table[(table["Model"] == "network") & (table["Task"] == "mvi")].set_index("Found")
    true = rows[(rows["model"] == "network") & (rows["task"] == "mvi")]
    called = true["probability"] >= 0.5
    assert mvi.loc["present", "Predicted present"] == (called & (true["label"] == 1)).sum()
    assert mvi.loc["present", "recall"] == pytest.approx(recall_score(true["label"], called))
    assert mvi["Total"].sum() == 50
    assert set(mvi["Decision"]) == {"threshold 0.5"}


def test_tasks_with_fewer_classes_leave_the_other_columns_empty(rows):
    table = confusion_matrix(rows)
    assert table.loc[table["Task"] == "mvi", "Predicted M2"].isna().all()
    grade = table[table["Task"] == "mvi_grade"]
    assert list(grade["Found"]) == ["M0", "M1", "M2"]
    assert grade[["Predicted M0", "Predicted M1", "Predicted M2"]].to_numpy().sum() == 50
    assert "threshold" in table.attrs["caption"]


def test_without_classes_the_table_is_empty_with_its_columns(rows):
    survival = rows.iloc[:5].drop(columns=["probability", "label"]).assign(task="os", risk=1.0)
    table = confusion_matrix(survival)
    assert table.empty
    assert list(table.columns) == [
        "Model", "Split", "Task", "Found", "Total", "Recall", "Decision", "recall",
    ]  # fmt: skip

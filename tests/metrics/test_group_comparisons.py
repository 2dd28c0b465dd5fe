import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.classification.auc import delong_unpaired
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.group_comparisons import GROUP_COLUMNS, compare_groups


def one(table: pd.DataFrame, **cells: str) -> pd.Series:
    rows = table[np.logical_and.reduce([table[key] == value for key, value in cells.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_splits_differ_by_the_difference_of_their_metrics(predictions):
    found = compare_groups(predictions, by="split", bootstraps=100)
    assert list(found.columns) == GROUP_COLUMNS
    assert set(zip(found["group_a"], found["group_b"], strict=True)) == {
        ("train", "validation"), ("train", "external"), ("validation", "external"),
    }  # fmt: skip
    metrics = evaluate_predictions(predictions, bootstraps=0).query("center == 'all'")
    for name in ("concordance_harrell", "auc", "accuracy"):
        values = metrics[metrics["metric"] == name].set_index("split")["value"]
        row = one(found, metric=name, group_a="validation", group_b="external")
        assert row["difference"] == pytest.approx(values["validation"] - values["external"])
        assert row["ci_low"] < row["difference"] < row["ci_high"]
        assert (row["n_a"], row["n_b"]) == (60, 50)
        assert row["p_holm"] >= row["p"]


def test_the_auc_is_compared_by_delongs_unpaired_test(predictions):
    row = one(
        compare_groups(predictions, by="split", bootstraps=20),
        metric="auc", group_a="train", group_b="external",
    )  # fmt: skip
    mvi = predictions[predictions["task"] == "mvi"]
    a, b = (mvi[mvi["split"] == name] for name in ("train", "external"))
    expected = delong_unpaired(a["label"], a["probability"], b["label"], b["probability"])
    assert tuple(row[["difference", "ci_low", "ci_high", "p"]]) == pytest.approx(expected)
    assert row["method"] == "delong_unpaired"


def test_centers_are_compared_within_their_split(predictions):
    found = compare_groups(predictions, by="center", bootstraps=50)
    assert set(found["split"]) == {"validation"}, "the other splits have one center"
    row = one(found, metric="concordance_harrell")
    assert (row["group_a"], row["group_b"]) == ("II", "III")
    assert (row["n_a"], row["n_b"]) == (30, 30)


def test_the_unpaired_interval_has_the_width_of_two_independent_groups(predictions):
    """Groups of equal size share their draws, which must not narrow or widen the difference."""
    found = compare_groups(predictions, by="center", bootstraps=1000)
    row = one(found, metric="concordance_harrell")
    metrics = evaluate_predictions(predictions, bootstraps=1000)
    rows = metrics[metrics["center"].isin(["II", "III"])]
    single = rows[rows["metric"] == "concordance_harrell"]
    half = (single["ci_high"] - single["ci_low"]) / 2
    expected = 2 * np.sqrt((half**2).sum())
    assert row["ci_high"] - row["ci_low"] == pytest.approx(expected, rel=0.1)


def test_groups_that_share_patients_are_not_compared(predictions):
    rows = predictions[predictions["split"] == "train"]
    folds = pd.concat([rows, rows.assign(fold=1, split="validation")], ignore_index=True)
    found = compare_groups(folds, by="split", bootstraps=10)
    assert found["difference"].isna().all()
    assert found["method"].str.startswith("120 patients are in both groups").all()


def test_one_group_gives_an_empty_table(predictions):
    rows = predictions[predictions["split"] == "train"]
    found = compare_groups(rows, by="split", bootstraps=10)
    assert found.empty
    assert list(found.columns) == GROUP_COLUMNS

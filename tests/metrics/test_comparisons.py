import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mtl_hcc.metrics.classification.delong import delong_difference
from mtl_hcc.metrics.comparisons import COMPARISON_COLUMNS, compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions


@pytest.fixture
def two(predictions, cohort):
    """A model and a worse one."""
    rng = np.random.default_rng(8)
    worse = predictions.assign(
        risk=predictions["risk"] * 0 + rng.normal(size=len(predictions)),
        probability=(predictions["probability"] + 2 * rng.random(len(predictions))) / 3,
    )
    return pd.concat([predictions.assign(model="good"), worse.assign(model="worse")])


def test_differences_are_those_of_the_metrics(two):
    comparisons = compare_models(two, bootstraps=200)
    assert list(comparisons.columns) == COMPARISON_COLUMNS
    metrics = evaluate_predictions(two, bootstraps=0).query("center == 'all'")
    values = metrics.set_index(["model", "split", "task", "metric"])["value"]
    for row in comparisons.dropna(subset=["difference"]).itertuples():
        key = (row.split, row.task, row.metric)
        expected = values["good", *key] - values["worse", *key]
        assert row.difference == pytest.approx(expected)
        assert row.ci_low <= row.difference <= row.ci_high


def test_the_auc_is_compared_by_delong_and_the_c_index_by_paired_bootstrap(two):
    comparisons = compare_models(two, bootstraps=200).set_index(["split", "metric"])
    rows = two[(two["task"] == "mvi") & (two["split"] == "train")]
    good, worse = (rows[rows["model"] == name] for name in ("good", "worse"))
    expected = delong_difference(good["label"], good["probability"], worse["probability"])
    found = comparisons.loc[("train", "auc")]
    assert tuple(found[["difference", "ci_low", "ci_high", "p"]]) == pytest.approx(expected)
    assert found["method"] == "delong; 120 common patients, 0 dropped"
    found = comparisons.loc[("train", "concordance_harrell")]
    assert found["method"] == "paired_bootstrap; 120 common patients, 0 dropped"
    assert found["p"] < 0.05


def test_only_common_patients_count_and_the_dropped_are_said(two):
    first = two["patient_id"].isin([f"P{k:04d}" for k in range(10)])
    fewer = two[~(first & (two["model"] == "worse"))]
    found = compare_models(fewer, bootstraps=20).set_index(["split", "metric"])
    assert "110 common patients, 10 dropped" in found.loc[("train", "auc"), "method"]
    neither = compare_models(two[~first], bootstraps=20).set_index(["split", "metric"])
    columns = ["difference", "ci_low", "ci_high", "p"]
    assert_frame_equal(found[columns], neither[columns])


def test_models_without_common_patients_are_not_compared(two):
    odd = two["patient_id"].str[-1].astype(int) % 2 == 1
    apart = two[odd == (two["model"] == "good")]
    comparisons = compare_models(apart, bootstraps=20)
    assert comparisons["difference"].isna().all()
    assert comparisons["method"].str.contains("no patient with a known outcome").all()


def test_outcomes_that_differ_are_said_not_averaged(two):
    two = two.reset_index(drop=True)
    two.loc[len(two) // 2, "time_days"] += 1  # first patient of the second model
    comparisons = compare_models(two, bootstraps=20).set_index(["split", "metric"])
    found = comparisons.loc[("train", "concordance_harrell")]
    assert np.isnan(found["difference"])
    assert "outcomes differ between the models, first for patient P0000" in found["method"]

import time

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mtl_hcc.metrics.classification.auc import delong_difference
from mtl_hcc.metrics.comparisons import COMPARISON_COLUMNS, compare_models, holm
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.resamples import Resamples

NUMBERS = ["difference", "ci_low", "ci_high", "p"]
CONTRACT = ["split", "task", "metric", "model_a", "model_b", *NUMBERS, "method"]


def one(table: pd.DataFrame, **cells: str) -> pd.Series:
    rows = table[np.logical_and.reduce([table[key] == value for key, value in cells.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def noisy(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return predictions.assign(
        risk=predictions["risk"] * 0 + rng.normal(size=len(predictions)),
        probability=(predictions["probability"] + 2 * rng.random(len(predictions))) / 3,
    )


@pytest.fixture
def two(predictions):
    """A model and a worse one."""
    worse = noisy(predictions, 8)
    return pd.concat([predictions.assign(model="good"), worse.assign(model="worse")])


@pytest.fixture
def four(two, predictions):
    """Two more models, as bad as the second."""
    more = [noisy(predictions, seed).assign(model=f"worse {seed}") for seed in (9, 10)]
    return pd.concat([two, *more], ignore_index=True)


def test_differences_are_those_of_the_metrics(two):
    comparisons = compare_models(two, bootstraps=200)
    metrics = evaluate_predictions(two, bootstraps=0).query("center == 'all'")
    key = ["split", "task", "metric", "horizon_days"]
    values = metrics.set_index(["model", *key])["value"]
    both = pd.concat([values["good"], values["worse"]], axis=1, keys=["good", "worse"])
    expected = comparisons.merge(both.reset_index(), on=key)
    expected = expected.dropna(subset=["difference"])
    assert len(expected) > 20
    assert expected["difference"].to_numpy() == pytest.approx(
        (expected["good"] - expected["worse"]).to_numpy(), abs=1e-9
    )
    assert (expected["ci_low"] <= expected["ci_high"]).all()


def test_the_columns_of_the_contract_come_first(two):
    comparisons = compare_models(two, bootstraps=0)
    assert list(comparisons.columns) == COMPARISON_COLUMNS
    assert COMPARISON_COLUMNS[:10] == CONTRACT
    assert comparisons["ci_low"].isna().sum() >= len(comparisons) - 3, "only DeLong without draws"


def test_the_auc_is_compared_by_delong_and_the_c_index_by_paired_bootstrap(two):
    comparisons = compare_models(two, bootstraps=200)
    rows = two[(two["task"] == "mvi") & (two["split"] == "train")]
    good, worse = (rows[rows["model"] == name] for name in ("good", "worse"))
    expected = delong_difference(good["label"], good["probability"], worse["probability"])
    found = one(comparisons, split="train", metric="auc")
    assert tuple(found[NUMBERS]) == pytest.approx(expected)
    assert found["method"] == "delong; 120 common patients, 0 dropped"
    found = one(comparisons, split="train", metric="concordance_harrell")
    assert found["method"] == "paired_bootstrap; 120 common patients, 0 dropped"
    assert found["p"] < 0.05
    assert (found["n"], found["dropped"]) == (120, 0)


def test_only_common_patients_count_and_the_dropped_are_said(two):
    first = two["patient_id"].isin([f"P{k:04d}" for k in range(10)])
    fewer = two[~(first & (two["model"] == "worse"))]
    found = compare_models(fewer, bootstraps=20)
    auc = one(found, split="train", metric="auc")
    assert "110 common patients, 10 dropped" in auc["method"]
    assert (auc["n"], auc["dropped"]) == (110, 10)
    neither = compare_models(two[~first], bootstraps=20)
    assert_frame_equal(found[NUMBERS], neither[NUMBERS])


def test_models_without_common_patients_are_not_compared(two):
    odd = two["patient_id"].str[-1].astype(int) % 2 == 1
    apart = two[odd == (two["model"] == "good")]
    comparisons = compare_models(apart, bootstraps=20)
    assert comparisons["difference"].isna().all()
    assert comparisons["method"].str.contains("no patient with a known outcome").all()
    assert (comparisons["n"] == 0).all()


def test_outcomes_that_differ_are_said_not_averaged(two):
    two = two.reset_index(drop=True)
    two.loc[len(two) // 2, "time_days"] += 1  # first patient of the second model
    found = one(compare_models(two, bootstraps=20), split="train", metric="concordance_harrell")
    assert np.isnan(found["difference"])
    assert "outcomes differ between the models, first for patient P0000" in found["method"]


def test_a_horizon_that_one_model_lacks_is_said(two, predictions):
    days = np.where(two["task"] == "os", 0.5, np.nan)
    known = two.assign(survival_400=np.where(two["model"] == "good", days, np.nan))
    comparisons = compare_models(known, bootstraps=10)
    rows = comparisons[(comparisons["split"] == "train") & (comparisons["horizon_days"] == 400)]
    assert len(rows), "metrics at a horizon are listed"
    assert rows["difference"].isna().all()
    assert rows["method"].str.startswith(("only good predicts it", "good: ")).all()
    brier = rows[rows["metric"] == "brier"]
    assert brier["method"].str.startswith("only good predicts it").all()


def test_holms_family_is_the_first_model_against_its_comparators(four):
    comparisons = compare_models(four, bootstraps=50)
    rows = comparisons[(comparisons["split"] == "train") & (comparisons["metric"] == "auc")]
    assert len(rows) == 6
    family = rows["model_a"] == "good"
    assert rows.loc[family, "p_holm"].to_numpy() == pytest.approx(holm(rows.loc[family, "p"]))
    assert (rows.loc[family, "p_holm"] >= rows.loc[family, "p"]).all()
    assert rows.loc[~family, "p_holm"].isna().all()
    assert rows.loc[~family, "p"].notna().all()
    said = "; no p_holm: neither model is under study"
    assert rows.loc[~family, "method"].str.endswith(said).all()
    assert not rows.loc[family, "method"].str.contains("p_holm").any()


def test_the_oracle_is_no_comparator_so_that_one_baseline_needs_no_correction(two, predictions):
    three = pd.concat([two, predictions.assign(model="oracle")], ignore_index=True)
    rows = compare_models(three, bootstraps=50).dropna(subset=["p"])
    family = (rows["model_a"] == "good") & (rows["model_b"] == "worse")
    assert rows.loc[family, "p_holm"].to_numpy() == pytest.approx(rows.loc[family, "p"].to_numpy())
    assert rows.loc[~family, "p_holm"].isna().all()
    assert rows.loc[~family, "method"].str.endswith("no p_holm: the oracle is no comparator").all()


def test_several_models_under_study_share_a_family_without_the_pairs_of_their_comparators(four):
    rows = compare_models(four, bootstraps=50, judged=["good", "worse 9"])
    rows = rows[(rows["split"] == "train") & (rows["metric"] == "auc")]
    family = rows[["model_a", "model_b"]].isin(["good", "worse 9"]).any(axis=1)
    assert family.sum() == 5
    assert rows.loc[family, "p_holm"].to_numpy() == pytest.approx(holm(rows.loc[family, "p"]))
    (other,) = rows[~family].to_dict("records")
    assert {other["model_a"], other["model_b"]} == {"worse", "worse 10"}
    assert np.isnan(other["p_holm"])


def test_an_oracle_that_is_itself_under_study_is_corrected_like_any_model(two, predictions):
    three = pd.concat([predictions.assign(model="oracle"), two], ignore_index=True)
    rows = compare_models(three, bootstraps=20).dropna(subset=["p"])
    assert rows.loc[rows["model_a"] == "oracle", "p_holm"].notna().all()


def test_one_pair_needs_no_correction(two):
    comparisons = compare_models(two, bootstraps=20).dropna(subset=["p"])
    assert comparisons["p_holm"].to_numpy() == pytest.approx(comparisons["p"].to_numpy())


def test_what_was_evaluated_is_not_computed_again(four):
    resamples = Resamples(bootstraps=100, seed=3)
    evaluate_predictions(four, resamples=resamples)
    start = time.perf_counter()
    shared = compare_models(four, resamples=resamples)
    quick = time.perf_counter() - start
    start = time.perf_counter()
    alone = compare_models(four, bootstraps=100, seed=3)
    assert_frame_equal(shared, alone)
    assert quick < time.perf_counter() - start


def test_equal_models_differ_by_zero_with_p_1(predictions):
    twice = pd.concat([predictions.assign(model="a"), predictions.assign(model="b")])
    compared = compare_models(twice, bootstraps=50).dropna(subset=["difference"])
    assert len(compared) > 20
    assert (compared["difference"] == 0).all()
    assert compared["p"].dropna().to_numpy() == pytest.approx(1)


def test_folds_of_one_patient_are_drawn_together_and_not_by_delong(two):
    again = two[two["split"] == "train"]
    folds = pd.concat([again.assign(fold=0), again.assign(fold=1)], ignore_index=True)
    found = one(compare_models(folds, bootstraps=200), split="train", metric="auc")
    assert found["method"].startswith("paired_bootstrap")
    single = one(compare_models(again, bootstraps=200), split="train", metric="auc")
    assert found["difference"] == pytest.approx(single["difference"])
    width = found["ci_high"] - found["ci_low"]
    assert width == pytest.approx(single["ci_high"] - single["ci_low"], rel=0.15)

"""Averages over seeds and paired differences, against compare_models and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts
from mtl_hcc.metrics.comparisons import compare_models, holm
from mtl_hcc.metrics.seed_averages import ABLATION_COLUMNS, average_over_seeds

SEEDS, VARIANTS = (0, 1, 2), ("full", "noisy", "alone")
BOOTSTRAPS = 60


def cohort() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    hazard = rng.normal(size=90)
    time, end = rng.exponential(900 * np.exp(-hazard)), rng.uniform(200, 2000, 90)
    return pd.DataFrame(
        {
            "patient_id": [f"P{k:02d}" for k in range(90)],
            "center": "I",
            "split": np.repeat(["train", "external"], 45),
            "fold": 0,
            "hazard": hazard,
            "time_days": np.ceil(np.minimum(time, end)),
            "event": (time <= end).astype(float),
            "label": (rng.normal(size=90) < hazard).astype(float),
        }
    )


def runs() -> pd.DataFrame:
    """Return three variants with three seeds; ``alone`` predicts one task, its noise is largest."""
    table, rng, parts = cohort(), np.random.default_rng(5), []
    who = ["patient_id", "center", "split", "fold"]
    for variant, noise in zip(VARIANTS, (0.5, 1.5, 3.0), strict=True):
        for seed in SEEDS:
            score = table["hazard"] + rng.normal(scale=noise, size=len(table))
            os = table[[*who, "time_days", "event"]].assign(task="os", risk=score)
            chance = 1 / (1 + np.exp(-score))
            mvi = table[[*who, "label"]].assign(task="mvi", probability=chance)
            parts += [
                rows.assign(variant=variant, seed=seed)
                for rows in ([mvi] if variant == "alone" else [os, mvi])
            ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return runs()


@pytest.fixture(scope="module")
def found(predictions) -> pd.DataFrame:
    return average_over_seeds(predictions, reference="full", bootstraps=BOOTSTRAPS)


def row(found: pd.DataFrame, **where: object) -> pd.Series:
    ((_, one),) = found[(found[list(where)] == pd.Series(where)).all(axis=1)].iterrows()
    return one


def test_the_table_has_a_row_for_each_seed_and_one_for_all(found):
    assert list(found) == ABLATION_COLUMNS
    part = found[(found["metric"] == "auc") & (found["split"] == "external")]
    assert part["variant"].tolist() == list(np.repeat(VARIANTS, 4))
    assert part["seed"].tolist() == ["0", "1", "2", "all"] * 3
    assert (part["n"] == 45).all()
    assert (part["events"] == cohort()["label"][45:].sum()).all()
    assert found["method"].notna().all()


def test_a_variant_of_one_task_has_rows_of_that_task_only(found):
    assert set(found.loc[found["variant"] == "alone", "task"]) == {"mvi"}
    assert set(found.loc[found["variant"] == "full", "task"]) == {"os", "mvi"}


def test_values_are_those_of_the_libraries(predictions, found):
    rows = predictions[(predictions["split"] == "external") & (predictions["seed"] == 1)]
    os = rows[(rows["variant"] == "noisy") & (rows["task"] == "os")]
    expected = concordance_index_censored(os["event"] == 1, os["time_days"], os["risk"])[0]
    where = {"variant": "noisy", "split": "external", "seed": "1"}
    assert row(found, metric="concordance_harrell", **where)["value"] == pytest.approx(expected)
    mvi = rows[(rows["variant"] == "noisy") & (rows["task"] == "mvi")]
    expected = roc_auc_score(mvi["label"], mvi["probability"])
    assert row(found, metric="auc", **where)["value"] == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["concordance_harrell", "auc", "balanced_accuracy"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_difference_of_one_seed_is_that_of_compare_models(predictions, found, metric, seed):
    """With its interval and p, but for AUC, which compare_models takes from DeLong."""
    pair = predictions[(predictions["seed"] == seed) & (predictions["variant"] != "alone")]
    pair = pair.assign(model=pair["variant"].map({"full": "b", "noisy": "a"})).sort_values("model")
    compared = compare_models(pair, bootstraps=BOOTSTRAPS)
    expected = row(compared, metric=metric, split="external", model_a="a", model_b="b")
    ours = row(found, metric=metric, split="external", variant="noisy", seed=str(seed))
    assert ours["difference"] == pytest.approx(expected["difference"])
    if metric == "auc":
        assert expected["method"].startswith("delong")
        assert ours["ci_low"] == pytest.approx(expected["ci_low"], abs=0.06)
        assert ours["ci_high"] == pytest.approx(expected["ci_high"], abs=0.06)
        return
    for column in ("ci_low", "ci_high", "p"):
        assert ours[column] == pytest.approx(expected[column])


def test_the_row_of_all_seeds_is_their_mean_with_the_spread_over_them(found):
    for (variant, metric), rows in found[found["split"] == "external"].groupby(
        ["variant", "metric"]
    ):
        single, (pooled,) = (
            rows[rows["seed"] != "all"],
            rows[rows["seed"] == "all"].to_dict("records"),
        )
        assert pooled["value"] == pytest.approx(single["value"].mean(), nan_ok=True)
        assert pooled["spread"] == pytest.approx(single["value"].std(), nan_ok=True)
        if variant == "full":
            assert single["difference"].isna().all()
            assert np.isnan(pooled["difference"])
            continue
        assert pooled["difference"] == pytest.approx(single["difference"].mean(), nan_ok=True)
        spread = single["difference"].std()
        assert pooled["difference_spread"] == pytest.approx(spread, nan_ok=True)
        if metric == "auc":
            assert "mean of 3 seeds" in pooled["method"]


def test_the_interval_over_seeds_is_the_bootstrap_of_the_averaged_difference(predictions, found):
    """By hand, with scikit-learn on each resample: one draw of patients serves all runs."""
    rows = predictions[(predictions["split"] == "external") & (predictions["task"] == "mvi")]
    runs = {key: part.sort_values("patient_id") for key, part in rows.groupby(["variant", "seed"])}
    patients = runs["full", 0]["patient_id"]
    drawn = []
    for counts in resample_counts(patients, bootstraps=BOOTSTRAPS, seed=0):
        auc = {
            key: roc_auc_score(part["label"], part["probability"], sample_weight=counts)
            for key, part in runs.items()
        }
        drawn.append(np.mean([auc["noisy", seed] - auc["full", seed] for seed in SEEDS]))
    ours = row(found, metric="auc", split="external", variant="noisy", seed="all")
    assert (ours["ci_low"], ours["ci_high"]) == pytest.approx(percentile_interval(np.array(drawn)))


def test_averaging_over_seeds_narrows_no_further_than_the_patients_allow(found):
    """A variant against itself differs by nothing; a worse one is found worse."""
    pooled = row(found, metric="auc", split="external", variant="alone", seed="all")
    assert pooled["ci_high"] < 0
    assert pooled["p"] < 0.05


def test_p_is_corrected_for_the_number_of_variants(found):
    rows = found[
        (found["metric"] == "auc") & (found["split"] == "external") & (found["seed"] == "all")
    ]
    assert rows["p_holm"].tolist() == pytest.approx(holm(rows["p"]).tolist(), nan_ok=True)
    assert (rows["p_holm"] >= rows["p"])[1:].all()


def test_a_variant_equal_to_the_design_differs_by_zero(predictions):
    full = predictions[predictions["variant"] == "full"]
    both = pd.concat([full, full.assign(variant="same")])
    found = average_over_seeds(both, reference="full", bootstraps=20)
    same = found[found["variant"] == "same"].dropna(subset=["difference"])
    assert len(same) > 20
    assert (same[["difference", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (same["p"] == 1).all()


def test_patients_that_one_run_lacks_are_dropped_from_the_difference_and_counted(predictions):
    gone = (predictions["variant"] == "noisy") & (predictions["patient_id"].isin(["P80", "P81"]))
    found = average_over_seeds(predictions[~gone], reference="full", bootstraps=10)
    rows = found[(found["split"] == "external") & (found["metric"] == "auc")]
    assert (rows.loc[rows["variant"] == "noisy", "n"] == 43).all()
    assert rows.loc[rows["variant"] == "noisy", "method"].str.contains("2 dropped").all()
    assert (rows.loc[rows["variant"] == "alone", "n"] == 45).all()


def test_seeds_that_the_design_lacks_count_in_the_mean_but_not_in_the_difference(predictions):
    """A study that was stopped: the design has two of the three seeds."""
    gone = (predictions["variant"] == "full") & (predictions["seed"] == 2)
    found = average_over_seeds(predictions[~gone], reference="full", bootstraps=10)
    rows = found[(found["split"] == "external") & (found["metric"] == "auc")]
    noisy = rows[rows["variant"] == "noisy"].set_index("seed")
    assert noisy["difference"].notna().tolist() == [True, True, False, True]
    assert noisy.loc["all", "difference"] == pytest.approx(noisy["difference"][:2].mean())
    assert noisy.loc["all", "value"] == pytest.approx(noisy["value"][:3].mean())
    assert "difference over 2 seeds" in noisy.loc["all", "method"]


def test_variants_keep_their_order_whatever_tasks_they_have(predictions):
    """``alone`` is first met in another task than ``noisy``, and still comes where it was named."""
    turned = pd.concat(
        [predictions[predictions["variant"] == name] for name in ("alone", "noisy", "full")]
    )
    found = average_over_seeds(turned, reference="full", bootstraps=5)
    assert found["variant"].drop_duplicates().tolist() == ["full", "alone", "noisy"]


def test_a_task_that_the_design_lacks_has_values_but_no_difference(predictions):
    lacks = (predictions["variant"] == "full") & (predictions["task"] == "os")
    found = average_over_seeds(predictions[~lacks], reference="full", bootstraps=5)
    rows = found[(found["metric"] == "concordance_harrell") & (found["variant"] == "noisy")]
    assert rows["value"].notna().all()
    assert rows["difference"].isna().all()


def test_a_metric_without_a_value_says_why(predictions):
    one_class = predictions.assign(label=predictions["label"].where(predictions["label"].isna(), 1))
    found = average_over_seeds(one_class, reference="full", bootstraps=10)
    rows = found[found["metric"] == "auc"]
    assert rows[["value", "difference", "p"]].isna().all(axis=None)
    assert rows["method"].str.contains("class").all()
    assert found.loc[found["metric"] == "concordance_harrell", "value"].notna().all()

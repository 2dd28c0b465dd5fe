import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.resamples import METRICS
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio
from mtl_hcc.metrics.survival.risk_groups import (
    RISK_GROUPS,
    high_risk,
    risk_group_metrics,
    rule_in_words,
    with_risk_groups,
)
from mtl_hcc.metrics.task_metric import TaskRows


@pytest.fixture
def os(predictions):
    return predictions[predictions["task"] == "os"]


def evaluated(rows, split, **settings):
    metrics = evaluate_predictions(rows, **{"bootstraps": 0, **settings})
    metrics = metrics[(metrics["split"] == split) & (metrics["center"] == "all")]
    return metrics[metrics["metric"].isin(RISK_GROUPS)].set_index("metric")


def test_the_cut_off_is_the_train_median_of_the_same_fold(os):
    train = os[os["split"] == "train"]
    external = os[os["split"] == "external"]
    high = external["risk"] > train["risk"].median()
    expected = hazard_ratio(external["time_days"], external["event"], high)
    found = evaluated(os, "external").loc["hazard_ratio"]
    assert tuple(found[["value", "ci_low", "ci_high"]]) == pytest.approx(expected[:3])
    assert found["method"] == (
        "Cox (Efron), Wald interval; high against low risk; cut at the median risk of train"
    )


def test_each_fold_is_cut_at_its_own_train_median(os):
    other_scale = os.assign(fold=1, risk=4 * os["risk"])
    both = pd.concat([os, other_scale], ignore_index=True)
    high, rule = high_risk(both, both[both["split"] == "train"])
    assert list(high[: len(os)]) == list(high[len(os) :])
    assert rule == "cut at the median risk of train"


def test_without_train_rows_each_split_is_cut_at_its_own_median(os):
    rows = os[os["split"] != "train"]
    found, rule = with_risk_groups(rows)
    assert found.groupby("split")["high"].mean().to_dict() == {"external": 0.5, "validation": 0.5}
    assert rule == "cut at the median risk of these rows, as no train rows are known"
    assert rule in evaluated(rows, "external").loc["hazard_ratio", "method"]


@pytest.mark.parametrize("majority", ["high", "low"])
def test_a_score_of_two_values_makes_two_groups_whichever_is_frequent(os, majority):
    quantile = 0.3 if majority == "high" else 0.7
    ill = os["risk"] > os.loc[os["split"] == "train", "risk"].quantile(quantile)
    rows = os.assign(risk=np.where(ill, 2.0, -1.0))
    grouped, rule = with_risk_groups(rows)
    assert (grouped["high"] == ill).all()
    found = evaluated(rows, "external")
    external = os["split"] == "external"
    expected = hazard_ratio(os["time_days"][external], os["event"][external], ill[external])
    ratio = found.loc["hazard_ratio"]
    assert tuple(ratio[["value", "ci_low", "ci_high"]]) == pytest.approx(expected[:3])
    assert np.isfinite(found.loc["logrank_p", "value"])
    said = "cut at the median risk of train"
    if majority == "high":
        said += "; nobody there is above it, so high risk is at it"
    assert rule == said
    assert ratio["method"].endswith(said)


def test_a_score_of_two_values_without_train_is_cut_in_its_own_rows(os):
    rows = os[os["split"] == "external"].reset_index(drop=True)
    high, rule = high_risk(rows.assign(risk=1.0 * (rows.index % 4 > 0)), rows.iloc[:0])
    assert list(high) == list(rows.index % 4 > 0)
    assert rule == (
        "cut at the median risk of these rows, as no train rows are known; nobody there is above "
        "it, so high risk is at it"
    )


def test_in_one_fold_of_two_nobody_is_above_the_median(os):
    binary = os.assign(fold=1, risk=np.where(os["risk"] > os["risk"].quantile(0.2), 1.0, 0.0))
    both = pd.concat([os, binary], ignore_index=True)
    high, rule = high_risk(both, both[both["split"] == "train"])
    assert list(high[: len(os)]) == list(high_risk(os, os[os["split"] == "train"])[0])
    assert list(high[len(os) :]) == list(binary["risk"] == 1)
    assert rule.endswith("; nobody there is above it, so high risk is at it in some folds")


def test_one_risk_for_everybody_has_no_groups_and_says_so(os):
    found = evaluated(os.assign(risk=0.7), "external").loc["hazard_ratio"]
    assert np.isnan(found["value"])
    assert found["method"] == (
        "a risk group is empty: all patients are in one; the prediction is the same for everybody"
    )


def test_rules_that_differ_between_tasks_are_told_by_task():
    assert rule_in_words({"os": "cut here", "rfs": "cut here"}) == "cut here"
    assert rule_in_words({"os": "cut here", "rfs": "there"}) == "OS cut here; RFS there"


def test_every_name_of_the_list_is_given_with_its_method(os):
    found = evaluated(os, "validation")
    assert list(dict.fromkeys(found.index)) == list(RISK_GROUPS)
    assert set(RISK_GROUPS) <= set(METRICS["survival"])
    assert found.loc["logrank_p", "method"].startswith("log-rank test")
    assert found.loc["median_follow_up_days", "method"].startswith("reverse Kaplan-Meier")
    assert found["value"].notna().any(), "with its horizon"
    assert set(found.loc["rmst_difference", "horizon_days"]) <= {365, 730, 1095, 1825}


def test_where_patients_repeat_over_folds_intervals_are_bootstrapped_and_p_is_absent(os):
    twice = pd.concat([os, os.assign(fold=1)])
    found = evaluated(twice, "train", bootstraps=60)
    once = evaluated(os, "train")
    assert "bootstrap of 60" in found.loc["hazard_ratio", "method"]
    assert found.loc["hazard_ratio", "ci_low"] < found.loc["hazard_ratio", "value"]
    assert np.isnan(found.loc["logrank_p", "value"])
    assert "repeat over folds" in found.loc["logrank_p", "method"]
    follow_up = ["value", "ci_low", "ci_high"]
    assert found.loc["median_follow_up_days", follow_up].to_list() == pytest.approx(
        once.loc["median_follow_up_days", follow_up].to_list(), nan_ok=True
    )


def test_the_bootstrap_of_the_ratio_agrees_with_its_wald_interval(os):
    exact = evaluated(os, "train").loc["hazard_ratio"]
    twice = pd.concat([os, os.assign(fold=1)])
    found = evaluated(twice, "train", bootstraps=400).loc["hazard_ratio"]
    for end in ("ci_low", "ci_high"):
        assert np.log(found[end]) == pytest.approx(np.log(exact[end]), abs=0.25)


def test_models_are_compared_by_ratio_and_days_not_by_p(os):
    rng = np.random.default_rng(0)
    two = pd.concat([os.assign(model="a"), os.assign(model="b", risk=rng.normal(size=len(os)))])
    found = compare_models(two, bootstraps=50)
    found = found[found["split"] == "train"].groupby("metric")
    assert found["difference"].first()["hazard_ratio"] > 0
    assert found["difference"].first()["rmst_difference"] < 0
    for name in ("logrank_p", "median_follow_up_days"):
        assert found.get_group(name)["difference"].isna().all()
        assert found.get_group(name)["method"].str.len().all()


rows = st.lists(
    st.tuples(st.integers(0, 900), st.booleans(), st.floats(-3, 3)), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=50)
@given(rows)
def test_whatever_the_rows_every_metric_has_a_value_or_a_reason(rows):
    time, event, risk = zip(*rows, strict=True)
    table = pd.DataFrame(
        {
            "patient_id": [str(k) for k in range(len(rows))],
            "center": "I",
            "split": "external",
            "fold": 0,
            "task": "os",
            "risk": risk,
            "time_days": time,
            "event": np.asarray(event, dtype=float),
        }
    )
    once = np.ones((1, len(rows)), dtype=np.float32)
    for metric in risk_group_metrics(TaskRows(table, table.iloc[:0], "survival")):
        drawn = metric.statistic(once)[0]
        if metric.value is None or np.isnan(metric.value):
            assert metric.why_not
            assert np.isnan(drawn)
        elif np.isfinite(drawn):
            assert drawn == pytest.approx(metric.value)

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import (
    brier_score,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from mtl_hcc.metrics.bootstrap import point_value, resample_counts
from mtl_hcc.metrics.survival.brier import prediction_error_metrics
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.survival.concordance import (
    concordance_statistic,
    truncation_time,
    uno_statistic,
)
from mtl_hcc.metrics.survival.discrimination import discrimination_metrics
from mtl_hcc.metrics.survival.horizons import task_horizons
from mtl_hcc.metrics.task_metric import TaskRows

ORACLES = Path(__file__).parents[2] / "oracles"
HORIZONS = [365, 730, 1095]


def real_cohort(name, clinical_tables):
    if name.startswith("tcga"):
        table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
        endpoint = name.rpartition("_")[2]
        columns = table[f"{endpoint}_days"], table[f"{endpoint}_event"], table["afp"]
    else:
        table = pd.read_csv(clinical_tables / "hcc_tace_seg" / "clinical.csv")
        days = (7 * table["OS"]).round()
        columns = days, table["Death_1_StillAliveorLostToFU_0"], table["AFP"]
    rows = pd.concat(columns, axis=1, keys=["time_days", "event", "afp"]).dropna()
    return with_predictions(rows, np.log(rows["afp"] + 1), 0.2)


def with_predictions(rows, risk, effect):
    """Add the survival that the R script computes, no fit in between."""
    rows = rows.reset_index(drop=True).assign(fold=0, risk=np.asarray(risk))
    rows["patient_id"] = [f"P{k}" for k in rows.index]
    for days in HORIZONS:
        rows[f"survival_{days}"] = np.exp(-days / 2000 * np.exp(effect * (rows["risk"] - 3)))
    return rows


def drawn_cohort(number, seed, name="P", *, whole_days=False):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=number).round(1) + 3
    time, end = rng.exponential(900 * np.exp(3 - risk)), rng.uniform(200, 2500, number)
    days = np.minimum(time, end)
    rows = pd.DataFrame({"time_days": np.ceil(days) if whole_days else days, "event": time <= end})
    rows = with_predictions(rows.astype(float), risk + rng.normal(size=number).round(1), 1.0)
    return rows.assign(patient_id=[f"{name}{k}" for k in range(number)])


def metrics_of(rows, train=None):
    sample = TaskRows(rows, rows.iloc[:0] if train is None else train, "survival")
    found = discrimination_metrics(sample) + prediction_error_metrics(sample)
    return {(metric.name, metric.horizon_days): metric for metric in found}


def values_of(rows, train=None):
    found = metrics_of(rows, train)
    return {key: point_value(metric.statistic, len(rows)) for key, metric in found.items()}


def uno_up_to(tau, rows):
    sample = TaskRows(rows, rows.iloc[:0], "survival")
    return uno_statistic(sample, CensoringWeights(rows), tau)


@pytest.mark.parametrize("name", ["tcga_lihc_os", "tcga_lihc_rfs", "hcc_tace_seg_os"])
def test_afp_on_real_cohorts_equals_r(name, clinical_tables):
    expected = pd.read_csv(ORACLES / "horizon_metrics" / "horizon_metrics.csv")
    expected = expected[expected["cohort"] == name]
    rows = real_cohort(name, clinical_tables)
    assert (len(rows), rows["event"].sum()) == tuple(expected.iloc[0][["n", "events"]])
    found = values_of(rows)
    sample = TaskRows(rows, rows.iloc[:0], "survival")
    weights = CensoringWeights(rows)
    for tau in expected.loc[expected["metric"] == "uno", "horizon_days"]:
        found["uno", tau] = point_value(uno_statistic(sample, weights, tau), len(rows))
    assert truncation_time(sample, weights) == tau
    assert found["concordance_uno", None] == found["uno", tau]
    for metric, days, value in expected[["metric", "horizon_days", "value"]].to_numpy():
        assert found[metric, days] == pytest.approx(value, abs=1e-12), (metric, days)


@pytest.mark.parametrize("beside_train", [True, False])
def test_the_values_are_those_of_scikit_survival_given_the_rows_twice(beside_train):
    train, rows = drawn_cohort(200, 0, "T"), drawn_cohort(120, 1)
    rows = rows[rows["time_days"] < train["time_days"].max()].reset_index(drop=True)
    train = train if beside_train else train.iloc[:0]
    found = values_of(rows, train)
    judged = Surv.from_arrays(rows["event"].astype(bool), rows["time_days"])
    surviving = rows[[f"survival_{days}" for days in HORIZONS]]
    sample = TaskRows(rows, train, "survival")
    tau = truncation_time(sample, CensoringWeights(rows))
    uno = concordance_index_ipcw(judged, judged, rows["risk"], tau=tau, tied_tol=0)[0]
    auc = cumulative_dynamic_auc(judged, judged, rows["risk"], HORIZONS, tied_tol=0)[0]
    brier = brier_score(judged, judged, surviving, HORIZONS)[1]
    integrated = integrated_brier_score(judged, judged, surviving, HORIZONS)
    assert found["concordance_uno", None] == pytest.approx(uno, abs=1e-12)
    assert [found["auc_td", days] for days in HORIZONS] == pytest.approx(auc, abs=1e-12)
    assert [found["brier", days] for days in HORIZONS] == pytest.approx(brier, abs=1e-12)
    assert found["integrated_brier", None] == pytest.approx(integrated, abs=1e-12)


def test_counts_give_what_the_repeated_rows_give_with_their_own_weights():
    rows = drawn_cohort(60, 2, whole_days=True)
    counts = resample_counts(rows["patient_id"], bootstraps=4)
    values = {key: metric.statistic(counts) for key, metric in metrics_of(rows).items()}
    values["concordance_uno", None] = uno_up_to(730, rows)(counts)
    for place, row in enumerate(counts):
        drawn = rows.loc[np.repeat(rows.index, row.astype(int))].reset_index(drop=True)
        assert drawn["time_days"].max() > HORIZONS[-1]
        expected = values_of(drawn)
        expected["concordance_uno", None] = point_value(uno_up_to(730, drawn), len(drawn))
        for key, of_resamples in values.items():
            assert of_resamples[place] == pytest.approx(expected[key], abs=1e-9), key


def test_without_censoring_uno_is_harrell_and_brier_is_the_mean_square():
    rows = drawn_cohort(80, 3).assign(event=1.0)
    found = values_of(rows)
    assert found["concordance_uno", None] == pytest.approx(found["concordance_harrell", None])
    alive = rows["time_days"] > 730
    assert found["brier", 730] == pytest.approx(((alive - rows["survival_730"]) ** 2).mean())
    null = alive.mean() * (1 - alive.mean())
    assert found["brier_scaled", 730] == pytest.approx(1 - found["brier", 730] / null)


def test_large_cohorts_in_blocks_give_the_same(monkeypatch):
    rows, train = drawn_cohort(90, 4), drawn_cohort(70, 5, "T")
    counts = resample_counts(rows["patient_id"], bootstraps=12)
    whole = {key: m.statistic(counts) for key, m in metrics_of(rows, train).items()}
    monkeypatch.setattr("mtl_hcc.metrics.survival.censoring.KEPT_UP_TO", 0)
    monkeypatch.setattr("mtl_hcc.metrics.survival.censoring.ELEMENTS_AT_ONCE", 500)
    monkeypatch.setattr("mtl_hcc.metrics.pair_counts.MATRIX_UP_TO", 0)
    for key, metric in metrics_of(rows, train).items():
        assert metric.statistic(counts) == pytest.approx(whole[key], abs=1e-12, nan_ok=True), key


def test_folds_are_compared_within_and_probabilities_pooled():
    parts = [drawn_cohort(50, seed, f"F{seed}").assign(fold=seed) for seed in (0, 1)]
    rows = pd.concat([parts[0], parts[1].assign(risk=parts[1]["risk"] + 100)], ignore_index=True)
    pooled, single = values_of(rows), [values_of(part) for part in parts]
    assert min(one["auc_td", 730] for one in single) <= pooled["auc_td", 730]
    assert pooled["auc_td", 730] <= max(one["auc_td", 730] for one in single)
    assert pooled["brier", 730] == values_of(rows.assign(fold=0))["brier", 730]
    harrell = concordance_statistic(
        rows["risk"], rows["time_days"], rows["event"], strata=rows["fold"]
    )
    assert pooled["concordance_harrell", None] == point_value(harrell, len(rows))
    assert "pairs within a fold" in metrics_of(rows)["concordance_uno", None].notes


def test_a_horizon_past_the_follow_up_of_train_is_empty_with_the_reason():
    rows, train = drawn_cohort(60, 6), drawn_cohort(60, 7, "T")
    short = train.assign(time_days=train["time_days"].clip(upper=700))
    found = metrics_of(rows, short)
    for name in ("auc_td", "brier", "brier_scaled"):
        assert np.isnan(point_value(found[name, 730].statistic, len(rows)))
        assert "ends on day 700" in found[name, 730].why_not
        assert np.isfinite(point_value(found[name, 365].statistic, len(rows)))
    assert "found 1" in found["integrated_brier", None].why_not
    assert "events up to day" in found["concordance_uno", None].notes[0]


def test_a_table_of_risks_only_is_judged_at_the_usual_horizons_and_has_no_brier_score():
    rows = drawn_cohort(60, 8).drop(columns=[f"survival_{days}" for days in HORIZONS])
    sample = TaskRows(rows, rows.iloc[:0], "survival")
    assert list(task_horizons(sample)) == [365, 730, 1095, 1825]
    found = metrics_of(rows)
    assert np.isfinite(point_value(found["auc_td", 1825].statistic, len(rows)))
    assert found["brier", None].why_not == "no column survival_<days>"
    early = metrics_of(rows.assign(time_days=rows["time_days"] / 100))
    assert "before the first horizon" in early["auc_td", None].why_not


def test_missing_probabilities_of_some_patients_are_said():
    rows = drawn_cohort(60, 9)
    rows.loc[:4, "survival_730"] = np.nan
    found = metrics_of(rows)
    assert found["brier", 730].why_not == "survival_730 is empty for 5 patients"
    assert np.isfinite(point_value(found["auc_td", 730].statistic, len(rows)))
    assert "days 365, 1095" in found["integrated_brier", None].notes[0]


def test_an_interval_that_rests_on_few_cases_says_so():
    rows = drawn_cohort(40, 11)
    found = metrics_of(rows)
    by_then = ((rows["time_days"] <= 365) & (rows["event"] == 1)).sum()
    assert by_then < 20
    assert f"only {by_then} patients" in found["auc_td", 365].notes[1]
    many = metrics_of(drawn_cohort(200, 11))
    assert not any("only" in note for note in many["auc_td", 365].notes)


def test_without_events_nothing_has_a_value_and_each_has_a_reason():
    rows = drawn_cohort(20, 10).assign(event=0.0)
    for (name, _), metric in metrics_of(rows).items():
        value = point_value(metric.statistic, len(rows))
        if name.startswith(("concordance", "auc")):
            assert np.isnan(value), name
            assert metric.why_not

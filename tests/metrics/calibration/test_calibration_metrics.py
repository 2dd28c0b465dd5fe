import time as clock

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss

from mtl_hcc.metrics.bootstrap import point_value, resample_counts
from mtl_hcc.metrics.calibration.class_calibration import (
    BINARY_CALIBRATION,
    binary_calibration_metrics,
    brier_statistics,
    multiclass_calibration_metrics,
)
from mtl_hcc.metrics.calibration.survival_calibration import (
    SURVIVAL_CALIBRATION,
    survival_calibration_metrics,
)
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions


def by_name(metrics):
    return {(metric.name, metric.horizon_days): metric for metric in metrics}


def value(metric, number):
    return point_value(metric.statistic, number)


def with_rows(sample, rows, train=None):
    return type(sample)(rows, sample.train if train is None else train, sample.kind)


def test_every_horizon_has_every_metric_in_the_order_of_the_table(simulate):
    metrics = survival_calibration_metrics(simulate(80))
    names = [metric.name for metric in metrics]
    assert names == sorted(names, key=SURVIVAL_CALIBRATION.index)
    assert set(names) == set(SURVIVAL_CALIBRATION)
    slopes = [m.horizon_days for m in metrics if m.name == "calibration_slope"]
    assert slopes == [365, 730, 1095]


def test_a_horizon_outside_the_follow_up_of_rows_or_train_is_empty_with_the_reason(simulate):
    sample = simulate(80)
    early = sample.rows[sample.rows["time_days"] < 700]
    for case in (with_rows(sample, early), with_rows(sample, sample.rows, early)):
        metric = by_name(survival_calibration_metrics(case))["calibration_slope", 730]
        assert np.isnan(value(metric, len(case.rows)))
        assert "beyond the follow-up" in metric.why_not


def test_empty_cells_and_missing_events_are_said(simulate):
    sample = simulate(80)
    rows = sample.rows.copy()
    rows.loc[:2, "survival_365"] = np.nan
    metrics = by_name(survival_calibration_metrics(with_rows(sample, rows)))
    assert metrics["ici", 365].why_not == "survival_365 is empty in 3 of 80 rows"
    assert metrics["d_calibration_p", None].why_not == "a predicted survival is empty"
    quiet = sample.rows.assign(event=0.0)
    metrics = by_name(survival_calibration_metrics(with_rows(sample, quiet)))
    assert metrics["calibration_intercept", 730].why_not == "no event before the horizon"
    assert metrics["d_calibration_p", None].why_not == "no event up to the last horizon"
    assert all(np.isnan(value(metric, 80)) for metric in metrics.values())


def test_small_samples_have_an_intercept_but_no_slope_and_no_curve(simulate):
    sample = simulate(14)
    metrics = by_name(survival_calibration_metrics(sample))
    assert np.isfinite(value(metrics["calibration_intercept", 730], 14))
    assert "a slope needs 5 patients with and without the event" in (
        metrics["calibration_slope", 365].why_not
    )
    assert "a smoothed curve needs 10 patients" in metrics["ici", 730].why_not


def test_risks_of_several_folds_have_no_slope_without_probabilities(simulate):
    sample = simulate(60)
    rows = sample.rows.drop(columns=[f"survival_{days}" for days in (365, 730, 1095)])
    folds = survival_calibration_metrics(with_rows(sample, rows.assign(fold=np.arange(60) % 2)))
    assert "several scales" in folds[0].why_not
    constant = survival_calibration_metrics(with_rows(sample, rows.assign(risk=0.0)))
    assert constant[0].why_not == "the risks are constant"
    quiet = survival_calibration_metrics(with_rows(sample, rows.assign(event=0.0)))
    assert quiet[0].why_not == "no event"


def test_folds_of_a_survival_task_are_pooled_when_there_are_probabilities(simulate):
    sample = simulate(80)
    folds = with_rows(sample, sample.rows.assign(fold=np.arange(80) % 4))
    one, four = (by_name(survival_calibration_metrics(case)) for case in (sample, folds))
    for key, metric in one.items():
        assert value(metric, 80) == value(four[key], 80)


def test_one_class_separation_and_constant_probabilities_give_reasons(simulate_classes):
    sample = simulate_classes(60)
    single = by_name(binary_calibration_metrics(with_rows(sample, sample.rows.assign(label=1.0))))
    assert single["calibration_slope", None].why_not == "only one class among the labels"
    assert np.isfinite(value(single["brier", None], 60))
    assert np.isnan(value(single["brier_scaled", None], 60))
    cut = sample.rows["probability"].median()
    apart = sample.rows.assign(label=(sample.rows["probability"] > cut).astype(float))
    flat = sample.rows.assign(probability=0.5)
    for rows in (apart, flat):
        metrics = by_name(binary_calibration_metrics(with_rows(sample, rows)))
        for name in ("calibration_slope", "ici", "e50", "e90"):
            assert np.isnan(value(metrics[name, None], 60))
            assert "constant" in metrics[name, None].why_not


def test_probabilities_of_0_and_1_are_clipped_and_that_is_said(simulate_classes):
    sample = simulate_classes(60)
    rows = sample.rows.copy()
    rows.loc[:1, "probability"] = [0.0, 1.0]
    metrics = by_name(binary_calibration_metrics(with_rows(sample, rows)))
    said = "2 probabilities nearer than 1e-06 to 0 or 1 clipped"
    for name in ("calibration_slope", "ici"):
        assert said in metrics[name, None].notes
        assert np.isfinite(value(metrics[name, None], 60))
    assert said not in metrics["brier", None].notes


def test_brier_scores_are_those_of_scikit_learn_and_of_repeated_rows():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet([1, 1, 1], size=40)
    label = rng.integers(3, size=40)
    counts = resample_counts(np.arange(40), bootstraps=5)
    several = brier_statistics(label, probabilities, halved=False)
    two = brier_statistics(
        label == 1, np.stack([1 - probabilities[:, 1], probabilities[:, 1]], 1), halved=True
    )
    for place, row in enumerate(counts):
        drawn = np.repeat(np.arange(40), row.astype(int))
        wrong = (probabilities[drawn] - np.eye(3)[label[drawn]]) ** 2
        assert several["brier"](counts)[place] == pytest.approx(wrong.sum(axis=1).mean())
        expected = brier_score_loss(label[drawn] == 1, probabilities[drawn, 1])
        assert two["brier"](counts)[place] == pytest.approx(expected)


def test_predicting_the_frequencies_has_a_scaled_brier_score_of_zero():
    label = np.repeat([0, 1, 2], [10, 20, 30])
    frequencies = np.tile([1 / 6, 1 / 3, 1 / 2], (60, 1))
    statistic = brier_statistics(label, frequencies, halved=False)["brier_scaled"]
    assert point_value(statistic, 60) == pytest.approx(0)


def test_more_classes_have_a_brier_score(simulate_classes):
    sample = simulate_classes(30)
    rng = np.random.default_rng(0)
    p = pd.DataFrame(rng.dirichlet([1, 1, 1], 30), columns=[f"probability_{k}" for k in range(3)])
    rows = sample.rows.drop(columns="probability").join(p).assign(label=rng.integers(3, size=30))
    metrics = multiclass_calibration_metrics(type(sample)(rows, rows.iloc[:0], "multiclass"))
    assert [metric.name for metric in metrics] == ["brier", "brier_scaled"]
    assert "summed over the classes" in metrics[0].notes[0]
    assert 0 < value(metrics[0], 30) < 2


def test_the_table_of_metrics_holds_calibration_with_intervals_and_methods(simulate):
    rows = simulate(120).rows.assign(model="network")
    table = evaluate_predictions(rows, bootstraps=100).set_index(["metric", "horizon_days"])
    slope = table.loc[("calibration_slope", 730.0)]
    assert slope["ci_low"] < slope["value"] < slope["ci_high"]
    assert "censoring weights from the evaluated rows" in slope["method"]
    p = table.loc["d_calibration_p"].iloc[0]
    assert 0 <= p["value"] <= 1
    assert np.isnan(p["ci_low"])
    assert p["method"].startswith("Haider's chi-square, 10 bins")


def test_a_thousand_resamples_of_all_horizons_are_quick(simulate):
    sample = simulate(150)
    counts = resample_counts(np.arange(150))
    started = clock.process_time()
    for metric in survival_calibration_metrics(sample):
        metric.statistic(counts)
    assert clock.process_time() - started < 1.5  # 16 metrics; about 0.12 s on an idle core


def test_binary_metrics_come_in_the_order_of_the_table(simulate_classes):
    metrics = binary_calibration_metrics(simulate_classes(80))
    assert tuple(metric.name for metric in metrics) == BINARY_CALIBRATION

import numpy as np
import pytest

from mtl_hcc.metrics.bootstrap import point_value
from mtl_hcc.metrics.calibration.calibration_curve import calibration_groups
from mtl_hcc.metrics.calibration.class_calibration import binary_calibration_metrics
from mtl_hcc.metrics.calibration.survival_calibration import survival_calibration_metrics
from mtl_hcc.metrics.net_benefit import class_shares, net_benefit, survival_shares
from mtl_hcc.metrics.survival.censoring import HorizonOutcome
from mtl_hcc.metrics.survival.product_limit import kaplan_meier

COHORTS = ("tcga_lihc", "hcc_tace_seg")
HORIZONS = (365, 1095)
THRESHOLDS = (0.1, 0.2, 0.3, 0.5)


def found(metrics, rows):
    return {
        (metric.name, metric.horizon_days): point_value(metric.statistic, len(rows))
        for metric in metrics
    }


@pytest.mark.parametrize("cohort", COHORTS)
def test_slope_intercept_and_curve_of_a_survival_task_are_those_of_r(
    cohort, real_samples, r_values
):
    sample = real_samples[cohort]
    values = found(survival_calibration_metrics(sample), sample.rows)
    for days in HORIZONS:
        for name in ("calibration_slope", "calibration_intercept"):
            assert values[name, days] == pytest.approx(r_values[cohort, days, name], abs=1e-7)
        for name in ("ici", "e50", "e90"):
            assert values[name, days] == pytest.approx(r_values[cohort, days, name], abs=1e-8)
    expected = r_values[cohort, None, "d_calibration_p"]
    assert values["d_calibration_p", None] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("cohort", COHORTS)
def test_without_survival_columns_the_slope_is_the_coefficient_of_coxph(
    cohort, real_samples, r_values
):
    sample = real_samples[cohort]
    rows = sample.rows.drop(columns=[f"survival_{days}" for days in HORIZONS])
    rows["risk"] = 20 * rows["risk"]  # = 2 log(AFP + 1) and a constant
    metrics = survival_calibration_metrics(type(sample)(rows, rows.iloc[:0], "survival"))
    assert "Cox regression on the risk" in "; ".join(metrics[0].notes)
    value = found(metrics, rows)["calibration_slope", None]
    assert value == pytest.approx(r_values[cohort, None, "slope_of_risk"], abs=1e-8)
    assert {metric.why_not for metric in metrics[1:]} == {"no column survival_<days>"}


@pytest.mark.parametrize("cohort", COHORTS)
def test_pseudo_values_in_geepack_are_near(cohort, real_samples, r_values):
    sample = real_samples[cohort]
    values = found(survival_calibration_metrics(sample), sample.rows)
    for days in HORIZONS:  # standard errors are about 0.4 and 0.15
        slope, intercept = (r_values[cohort, days, f"pseudo_{k}"] for k in ("slope", "intercept"))
        assert values["calibration_slope", days] == pytest.approx(slope, abs=0.15)
        assert values["calibration_intercept", days] == pytest.approx(intercept, abs=0.05)


@pytest.mark.parametrize("cohort", COHORTS)
def test_the_weighted_share_of_events_is_that_of_kaplan_meier(cohort, real_samples, r_values):
    rows = real_samples[cohort].rows
    for days in HORIZONS:
        outcome = HorizonOutcome(rows["time_days"], rows["event"], days)
        weights = outcome(np.ones((1, len(rows)), dtype=np.float32))[0]
        share = np.average(outcome.label, weights=weights)
        assert share == pytest.approx(r_values[cohort, days, "weighted_share"], abs=1e-9)
        survival = kaplan_meier(rows["time_days"], rows["event"]).at(days)[0]
        assert share == pytest.approx(1 - survival, abs=1e-9)


@pytest.mark.parametrize("cohort", COHORTS)
def test_groups_hold_the_kaplan_meier_estimates_of_survfit(cohort, real_samples, r_values):
    for days in HORIZONS:
        groups = calibration_groups(real_samples[cohort].rows, horizon_days=days)
        assert len(groups) == 5
        names = {"n": "n", "predicted": "predicted", "observed": "observed"}
        names |= {"ci_low": "low", "ci_high": "high"}
        for row in groups.to_dict("records"):
            for column, name in names.items():
                expected = r_values[cohort, days, f"group{row['group']}_{name}"]
                assert row[column] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_the_metrics_of_two_classes_are_those_of_glm(real_samples, r_values):
    sample = real_samples["tcga_lihc_mvi"]
    values = found(binary_calibration_metrics(sample), sample.rows)
    assert {name for name, _ in values} >= {"brier", "brier_scaled", "calibration_slope"}
    for (name, _), value in values.items():
        assert value == pytest.approx(r_values["tcga_lihc_mvi", None, name], abs=1e-8), name


@pytest.mark.parametrize("cohort", [*COHORTS, "tcga_lihc_mvi"])
def test_net_benefit_is_that_of_the_published_formula_in_r(cohort, real_samples, r_values):
    sample = real_samples[cohort]
    rows, once = sample.rows, np.ones((1, len(sample.rows)), dtype=np.float32)
    for days in HORIZONS if sample.kind == "survival" else (None,):
        if days is None:
            shares = class_shares(rows["label"], rows["probability"], THRESHOLDS)
        else:
            shares = survival_shares(
                rows["time_days"], rows["event"], 1 - rows[f"survival_{days}"], THRESHOLDS, days
            )
        values = net_benefit(shares, THRESHOLDS, once)[0]
        for threshold, value in zip(THRESHOLDS, values, strict=True):
            expected = r_values[cohort, days, f"net_benefit_{threshold}"]
            assert value == pytest.approx(expected, abs=1e-8, nan_ok=True)

import numpy as np
import pytest
from scipy.stats import chi2

from mtl_hcc.metrics.bootstrap import point_value
from mtl_hcc.metrics.calibration.d_calibration import d_calibration_statistic, survival_at_own_time
from mtl_hcc.metrics.calibration.survival_calibration import survival_calibration_metrics


def test_an_event_counts_in_its_bin_and_a_censored_patient_in_those_below():
    # Two bins: the event in the upper one; censored at 0.8: 0.3/0.8 above, 0.5/0.8 below.
    shares = np.array([0.625, 1.375])
    expected = chi2.sf(((shares - 1) ** 2).sum(), 1)
    found = point_value(d_calibration_statistic([0.9, 0.8], [1, 0], bins=2), 2)
    assert found == pytest.approx(expected)


def test_zero_survival_is_in_the_lowest_bin_and_one_in_the_highest():
    found = point_value(d_calibration_statistic([0.0, 0.0, 1.0, 1.0], [1, 0, 1, 1], bins=2), 4)
    assert found == pytest.approx(1.0)


def test_the_hazard_is_constant_between_horizons_and_follow_up_ends_at_the_last():
    rate = 0.001
    horizons = np.array([365.0, 730.0])
    survival = np.exp(-rate * np.tile(horizons, (4, 1)))
    own, known = survival_at_own_time(survival, horizons, [100, 365, 500, 900], [1, 1, 0, 1])
    assert own == pytest.approx(np.exp(-rate * np.array([100, 365, 500, 730])))
    assert known.tolist() == [1, 1, 0, 0]


def p_value(sample, horizons):
    rows = sample.rows
    survival = rows[[f"survival_{days}" for days in horizons]].to_numpy()
    own, known = survival_at_own_time(
        survival, np.array(horizons, dtype=float), rows["time_days"], rows["event"]
    )
    return point_value(d_calibration_statistic(own, known), len(rows))


def test_the_truth_passes_and_a_wrong_hazard_does_not(simulate):
    horizons = range(100, 2500, 200)  # fine: the Weibull hazard is not constant
    passed = [p_value(simulate(200, seed=k, horizons=horizons), horizons) for k in range(40)]
    assert np.mean(np.array(passed) < 0.05) <= 0.15
    assert p_value(simulate(400, shift=0.8, horizons=horizons), horizons) < 0.001


def test_patients_repeated_over_folds_have_no_p(simulate):
    sample = simulate(60)
    rows = sample.rows.assign(patient_id=[f"P{k // 2}" for k in range(60)])
    metric = survival_calibration_metrics(type(sample)(rows, sample.train, "survival"))[-1]
    assert np.isnan(point_value(metric.statistic, 60))
    assert metric.why_not == "no p: patients repeat over folds"

import numpy as np
import pytest
import statsmodels.api as sm

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts
from mtl_hcc.metrics.calibration.class_calibration import binary_calibration_metrics
from mtl_hcc.metrics.calibration.survival_calibration import survival_calibration_metrics
from mtl_hcc.metrics.calibration.weak_calibration import (
    class_recalibration,
    survival_recalibration,
)

WEAK = ("calibration_slope", "calibration_intercept")


def intervals(metrics, number):
    counts = resample_counts(np.arange(number), bootstraps=300)
    return {
        (metric.name, metric.horizon_days): percentile_interval(metric.statistic(counts))
        for metric in metrics
        if metric.name in WEAK
    }


def covers(interval, value):
    return interval[0] < value < interval[1]


def test_oracle_predictions_of_survival_have_slope_1_and_intercept_0(simulate):
    sample = simulate(600, seed=1)
    found = intervals(survival_calibration_metrics(sample), 600)
    assert len(found) == 6
    for (name, _), interval in found.items():
        assert covers(interval, 1.0 if name == "calibration_slope" else 0.0)


def test_shifted_and_stretched_predictions_of_survival_are_found(simulate):
    shifted = intervals(survival_calibration_metrics(simulate(600, seed=1, shift=0.7)), 600)
    stretched = intervals(survival_calibration_metrics(simulate(600, seed=1, stretch=2)), 600)
    for days in (365, 730, 1095):
        assert covers(shifted["calibration_slope", days], 1)
        assert covers(shifted["calibration_intercept", days], -0.7)
        assert not covers(shifted["calibration_intercept", days], 0)
        assert covers(stretched["calibration_slope", days], 0.5)
        assert not covers(stretched["calibration_slope", days], 1)


def test_true_spoiled_class_probabilities_are_told_apart(simulate_classes):
    true = intervals(binary_calibration_metrics(simulate_classes(500, seed=4)), 500)
    assert covers(true["calibration_slope", None], 1)
    assert covers(true["calibration_intercept", None], 0)
    wrong = intervals(
        binary_calibration_metrics(simulate_classes(500, seed=4, shift=1, stretch=2)), 500
    )
    assert covers(wrong["calibration_slope", None], 0.5)
    assert wrong["calibration_intercept", None][1] < 0


def test_resamples_give_what_statsmodels_gives_on_the_repeated_rows(simulate_classes):
    rows = simulate_classes(80).rows
    label, p = rows["label"].to_numpy(), rows["probability"].to_numpy()
    counts = resample_counts(np.arange(80), bootstraps=25)
    values = class_recalibration(label, p)(counts)
    score = np.log(p / (1 - p))
    for place, row in enumerate(counts):
        drawn = np.repeat(np.arange(80), row.astype(int))
        family = sm.families.Binomial()
        x = score[drawn]
        both = sm.GLM(label[drawn], sm.add_constant(x), family=family).fit()
        fixed = sm.GLM(label[drawn], np.ones(80), family=family, offset=x).fit()
        assert values["calibration_slope"][place] == pytest.approx(both.params[1], abs=1e-3)
        assert values["calibration_intercept"][place] == pytest.approx(fixed.params[0], abs=1e-3)


def test_a_resample_of_survival_is_solved_as_the_repeated_sample(simulate):
    rows = simulate(120).rows
    time, event = rows["time_days"].to_numpy(), rows["event"].to_numpy()
    p = 1 - rows["survival_730"].to_numpy()
    counts = resample_counts(np.arange(120), bootstraps=10)
    values = survival_recalibration(time, event, p, 730)(counts)
    for place, row in enumerate(counts):
        drawn = np.repeat(np.arange(120), row.astype(int))
        alone = survival_recalibration(time[drawn], event[drawn], p[drawn], 730)
        expected = alone(np.ones((1, 120), dtype=np.float32))
        for name in WEAK:
            assert values[name][place] == pytest.approx(expected[name][0], abs=2e-3)


def test_constant_predictions_have_an_intercept_but_no_slope():
    label = np.repeat([0, 1], [30, 20])
    values = class_recalibration(label, np.full(50, 0.3))(np.ones((1, 50), dtype=np.float32))
    assert np.isnan(values["calibration_slope"][0])
    expected = np.log(0.4 / 0.6) - np.log(0.3 / 0.7)
    assert values["calibration_intercept"][0] == pytest.approx(expected)


def test_separated_classes_have_no_slope():
    label = np.repeat([0, 1], [30, 30])
    p = np.concatenate([np.linspace(0.05, 0.4, 30), np.linspace(0.5, 0.9, 30)])
    values = class_recalibration(label, p)(np.ones((1, 60), dtype=np.float32))
    assert np.isnan(values["calibration_slope"][0])
    assert np.isfinite(values["calibration_intercept"][0])

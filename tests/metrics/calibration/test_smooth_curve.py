import numpy as np
import pytest
import statsmodels.api as sm

from mtl_hcc.metrics.bootstrap import resample_counts
from mtl_hcc.metrics.calibration.resampled_cox import CoxResamples
from mtl_hcc.metrics.calibration.smooth_curve import (
    SmoothClassCurve,
    SmoothSurvivalCurve,
    SplineColumns,
    curve_distances,
    smooth_survival_curves,
)


def once(number):
    return np.ones((1, number), dtype=np.float32)


@pytest.fixture
def rows(simulate):
    return simulate(90).rows


def test_cox_resamples_are_those_of_statsmodels_with_ties_and_repeated_patients(rows):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(90, 2))
    time = np.ceil(rows["time_days"].to_numpy() / 100)  # many ties
    event = rows["event"].to_numpy()
    cox = CoxResamples(columns, time, event)
    counts = resample_counts(np.arange(90), bootstraps=15)
    found = cox.coefficients(counts)
    assert cox.coefficients(counts) is found  # remembered
    for row, beta in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(90), row.astype(int))
        model = sm.PHReg(time[drawn], columns[drawn], status=event[drawn], ties="breslow")
        assert beta == pytest.approx(model.fit().params, abs=1e-3)


def test_a_patient_who_is_never_at_risk_with_an_event_changes_nothing():
    time, event = np.array([5, 4, 3, 2, 1.0]), np.array([1, 1, 1, 1, 0])
    columns = np.array([[0.1], [0.9], [0.3], [-0.2], [9.0]])
    some = CoxResamples(columns[:4], time[:4], event[:4]).coefficients(once(4))
    assert CoxResamples(columns, time, event).coefficients(once(5)) == pytest.approx(some)


def test_without_events_or_with_separation_there_is_no_curve(rows):
    p = 1 - rows["survival_730"].to_numpy()
    none = SmoothSurvivalCurve(rows["time_days"], 0 * rows["event"], p, 730)
    assert np.isnan(none.fit(once(90))).any()
    label = (p > np.median(p)).astype(float)
    assert np.isnan(SmoothClassCurve(label, p).fit(once(90))).any()


def test_the_class_curve_is_a_logistic_regression_on_the_spline(simulate_classes):
    rows = simulate_classes(150).rows
    label, p = rows["label"].to_numpy(), rows["probability"].to_numpy()
    curve = SmoothClassCurve(label, p)
    design = sm.add_constant(SplineColumns.of_sample(p, "logit")(p))
    expected = sm.GLM(label, design, family=sm.families.Binomial()).fit()
    assert curve.fit(once(150))[0] == pytest.approx(expected.params, abs=1e-6)
    assert curve.observed(curve.fit(once(150)), p)[0] == pytest.approx(expected.fittedvalues)


def test_the_spline_is_linear_beyond_the_outer_knots_and_bends_between():
    p = np.linspace(0.02, 0.98, 99)
    spline = SplineColumns.of_sample(p, "logit")
    score = np.linspace(-6, 6, 25)
    columns = spline(1 / (1 + np.exp(-score)))
    second = np.abs(np.diff(columns[:, 1], 2))
    low, _, high = np.array(spline.knots) * spline.spread + spline.center
    outside = (score[1:-1] < low - 0.6) | (score[1:-1] > high + 0.6)
    assert second[outside] == pytest.approx(0, abs=1e-9)
    assert second[~outside].max() > 0.01


def test_few_distinct_predictions_leave_a_straight_line():
    p = np.repeat([0.2, 0.4], [50, 50])
    assert SplineColumns.of_sample(p, "cloglog")(p).shape == (100, 1)


def test_horizons_of_proportional_hazards_share_one_regression(rows):
    p = {days: 1 - rows[f"survival_{days}"].to_numpy() for days in (365, 730)}
    curves = smooth_survival_curves(rows["time_days"], rows["event"], p)
    assert curves[365].cox is curves[730].cox
    alone = SmoothSurvivalCurve(rows["time_days"], rows["event"], p[730], 730)
    places = np.array([0.1, 0.5])
    shared = curves[730].observed(curves[730].fit(once(90)), places)
    assert shared == pytest.approx(alone.observed(alone.fit(once(90)), places), abs=1e-6)


def test_distances_are_the_mean_and_quantiles_of_repeated_rows():
    rng = np.random.default_rng(5)
    predicted, observed = rng.random(30), rng.random((20, 30))
    counts = resample_counts(np.arange(30), bootstraps=20)
    found = curve_distances(observed, predicted, counts)
    for place, row in enumerate(counts):
        distance = np.repeat(np.abs(observed[place] - predicted), row.astype(int))
        assert found["ici"][place] == pytest.approx(distance.mean())
        assert found["e50"][place] == pytest.approx(np.median(distance))
        assert found["e90"][place] == pytest.approx(np.quantile(distance, 0.9))


def test_a_curve_without_a_value_has_no_distance():
    observed = np.array([[0.1, 0.2], [np.nan, np.nan]])
    found = curve_distances(observed, np.array([0.1, 0.4]), np.ones((2, 2), dtype=np.float32))
    assert found["ici"][0] == pytest.approx(0.1)
    assert all(np.isnan(values[1]) for values in found.values())

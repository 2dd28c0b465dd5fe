import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.product_limit import kaplan_meier, median_follow_up


def test_survival_its_interval_and_the_number_at_risk_equal_r(patients, found_by_r):
    curve = kaplan_meier(patients["time"], patients["event"])
    low = found_by_r("survival low log-log")
    high = found_by_r("survival high log-log")
    at_risk = found_by_r("at risk")
    for days, expected in found_by_r("survival log-log").items():
        found = curve.at(float(days))
        assert found == pytest.approx((expected, low[days], high[days]), abs=1e-12)
        assert (patients["time"] >= float(days)).sum() == at_risk[days]
        if float(days) in curve.time:
            assert curve.at_risk[list(curve.time).index(float(days))] == at_risk[days]


def test_the_median_and_its_interval_equal_r(patients, found_by_r):
    found = kaplan_meier(patients["time"], patients["event"]).median()
    expected = found_by_r("median survival")
    assert found == pytest.approx(tuple(expected.values()), nan_ok=True)


def test_the_median_follow_up_equals_r(patients, found_by_r):
    expected = tuple(found_by_r("median follow-up").values())
    if np.isnan(expected[0]):
        with pytest.raises(NotComputableError, match="not reached"):
            median_follow_up(patients["time"], patients["event"])
    else:
        found = median_follow_up(patients["time"], patients["event"])
        assert found == pytest.approx(expected, nan_ok=True)


def test_a_curve_flat_at_one_half_has_its_median_in_the_middle():
    assert kaplan_meier([10, 20, 30, 40], [1, 1, 1, 1]).median()[0] == 25
    assert kaplan_meier([10, 20, 30, 40], [1, 1, 0, 0]).median()[0] == 30, "up to the last contact"


def test_the_whole_band_equals_lifelines():
    rng = np.random.default_rng(4)
    time, event = rng.integers(1, 40, 90), rng.random(90) < 0.5
    curve = kaplan_meier(time, event)
    band = KaplanMeierFitter().fit(time, event).confidence_interval_.loc[curve.time]
    alive = curve.survival > 0
    assert curve.ci_low[alive] == pytest.approx(band.iloc[:, 0].to_numpy()[alive])
    assert curve.ci_high[alive] == pytest.approx(band.iloc[:, 1].to_numpy()[alive])


def test_after_the_last_follow_up_nothing_is_said():
    curve = kaplan_meier([10, 20], [1, 0])
    assert curve.at(20) == pytest.approx((0.5, 0.006, 0.91), abs=0.005)
    assert np.isnan(curve.at(21)).all()


def test_without_a_patient_the_curve_stays_at_one_and_no_median_is_reached():
    curve = kaplan_meier([], [])
    assert (list(curve.time), list(curve.survival), list(curve.at_risk)) == ([0], [1], [0])
    with pytest.raises(NotComputableError, match="not reached"):
        median_follow_up([], [])


def test_everybody_censored_or_dead_on_day_zero_has_a_curve():
    assert list(kaplan_meier([3, 5], [0, 0]).survival) == [1, 1, 1]
    at_once = kaplan_meier([0, 0, 7], [1, 0, 0])
    assert list(at_once.time) == [0, 7]
    assert at_once.survival == pytest.approx([2 / 3, 2 / 3])
    assert np.isnan(kaplan_meier([4], [1]).at(4)[1])

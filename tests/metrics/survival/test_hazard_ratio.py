import time as clock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from pandas import DataFrame

from mtl_hcc.metrics.bootstrap import NotComputableError, point_value, resample_counts
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio, hazard_ratio_statistic

cohorts = st.lists(
    st.tuples(st.integers(1, 12), st.booleans(), st.booleans()), min_size=6, max_size=40
)


def test_ratio_interval_and_p_equal_r(patients, found_by_r):
    found = hazard_ratio(patients["time"], patients["event"], patients["high"])
    names = ("hazard_ratio", "ci_low", "ci_high", "p")
    expected = [found_by_r(f"two groups {name}")["highTRUE"] for name in names]
    assert found == pytest.approx(expected, rel=1e-6)


def test_counts_give_what_lifelines_gives_on_the_repeated_rows():
    rng = np.random.default_rng(3)
    time, event, high = rng.integers(1, 30, 50), rng.random(50) < 0.7, rng.random(50) < 0.5
    counts = resample_counts(np.arange(50), bootstraps=12, seed=1)
    values = hazard_ratio_statistic(time, event, high)(counts)
    for row, value in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(50), row.astype(int))
        rows = DataFrame({"time": time[drawn], "event": event[drawn], "high": high[drawn] * 1.0})
        exactly = {"precision": 1e-12, "r_precision": 1e-14}
        fitted = CoxPHFitter().fit(rows, "time", "event", fit_options=exactly)
        expected = fitted.hazard_ratios_["high"]
        assert value == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=100)
@given(cohorts)
def test_the_other_group_has_the_inverse_ratio(rows):
    time, event, high = (np.array(column) for column in zip(*rows, strict=True))
    value = point_value(hazard_ratio_statistic(time, event, high), len(time))
    assume(np.isfinite(value))
    inverse = point_value(hazard_ratio_statistic(time, event, ~high), len(time))
    assert value * inverse == pytest.approx(1)
    assert hazard_ratio(time, event, high)[0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("event", "high", "reason"),
    [
        ([0, 0, 0, 0], [0, 1, 0, 1], "no event"),
        ([1, 1, 1, 1], [1, 1, 1, 1], "all patients are in one"),
        ([0, 1, 0, 1], [0, 1, 0, 1], "no event in the low-risk group"),
        ([1, 1, 1, 1], [1, 1, 0, 0], "do not overlap in time"),
    ],
)
def test_an_infinite_ratio_is_no_ratio(event, high, reason):
    with pytest.raises(NotComputableError, match=reason):
        hazard_ratio([1, 2, 3, 4], event, high)
    statistic = hazard_ratio_statistic([1, 2, 3, 4], event, high)
    assert np.isnan(statistic(np.ones((2, 4), dtype=np.float32))).all()


def test_a_thousand_resamples_of_388_patients_take_less_than_half_a_second():
    rng = np.random.default_rng(0)
    statistic = hazard_ratio_statistic(
        rng.integers(1, 2000, 388), rng.random(388) < 0.4, rng.random(388) < 0.5
    )
    counts = resample_counts(np.arange(388))
    start = clock.perf_counter()
    assert np.isfinite(statistic(counts)).all()
    assert clock.perf_counter() - start < 0.5  # about 0.05 s on one core

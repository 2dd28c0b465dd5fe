import numpy as np
import pytest
from group_studies import HORIZON
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from mtl_hcc.metrics.bootstrap import NotComputableError, resample_counts
from mtl_hcc.metrics.survival.restricted_mean import (
    restricted_mean,
    restricted_mean_difference,
    restricted_mean_statistic,
)


def test_mean_and_standard_error_equal_r(study, patients, found_by_r):
    expected, errors = found_by_r("rmst"), found_by_r("rmst se")
    for high in (False, True):
        rows = patients[patients["high"] == high]
        mean, error = restricted_mean(rows["time"], rows["event"], HORIZON[study])
        assert mean == pytest.approx(expected[str(high).upper()])
        assert error == pytest.approx(errors[str(high).upper()])


def test_the_difference_is_high_minus_low_with_both_variances(study, patients, found_by_r):
    mean, error = found_by_r("rmst"), found_by_r("rmst se")
    difference = mean["TRUE"] - mean["FALSE"]
    half = 1.959964 * np.hypot(error["TRUE"], error["FALSE"])
    found = restricted_mean_difference(
        patients["time"], patients["event"], patients["high"], HORIZON[study]
    )
    assert found[:3] == pytest.approx((difference, difference - half, difference + half), abs=1e-4)
    assert (found[3] < 0.05) == (abs(difference) > half)


def test_counts_give_what_lifelines_gives_on_the_repeated_rows():
    rng = np.random.default_rng(3)
    time, event, high = rng.integers(1, 60, 50), rng.random(50) < 0.7, rng.random(50) < 0.5
    counts = resample_counts(np.arange(50), bootstraps=12, seed=1)
    values = restricted_mean_statistic(time, event, high, 20)(counts)
    for row, value in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(50), row.astype(int))
        means = [
            restricted_mean_survival_time(KaplanMeierFitter().fit(time[rows], event[rows]), t=20)
            for rows in (drawn[high[drawn]], drawn[~high[drawn]])
        ]
        assert value == pytest.approx(means[0] - means[1])


def test_a_group_that_is_not_followed_to_the_horizon_has_no_mean():
    time, event, high = [5, 9, 30, 40], [1, 0, 0, 0], [True, True, False, False]
    with pytest.raises(NotComputableError, match="ends at day 9, before the horizon"):
        restricted_mean_difference(time, event, high, 20)
    once = np.ones((1, 4), dtype=np.float32)
    assert np.isnan(restricted_mean_statistic(time, event, high, 20)(once)).all()
    dead = restricted_mean([5, 9], [1, 1], 20)
    assert dead == pytest.approx((7, np.sqrt(2)))
    with pytest.raises(NotComputableError, match="empty"):
        restricted_mean([], [], 20)


def test_groups_that_differ_by_patients_not_drawn_have_the_same_mean_to_the_last_bit():
    rng = np.random.default_rng(5)
    time, event, high = rng.integers(1, 900, 80), rng.random(80) < 0.6, rng.random(80) < 0.5
    time[:4] = 1000  # followed to the horizon in both groups
    other = high.copy()
    other[60:] = ~other[60:]
    counts = resample_counts(np.arange(80), bootstraps=200, seed=1)
    counts[:, 60:] = 0
    first, second = (restricted_mean_statistic(time, event, g, 700)(counts) for g in (high, other))
    assert np.isfinite(first).sum() > 150
    assert list(first[np.isfinite(first)]) == list(second[np.isfinite(first)])

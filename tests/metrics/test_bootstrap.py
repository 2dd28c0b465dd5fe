import numpy as np
import pytest

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts, two_sided_p
from mtl_hcc.metrics.survival.concordance import concordance_statistic


def test_every_resample_has_as_many_patients_as_the_sample_and_the_rows_of_one_go_together():
    patient_id = ["a", "b", "a", "c", "b"]
    counts = resample_counts(patient_id, bootstraps=50, seed=0)
    assert counts.shape == (50, 5)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_models_on_the_same_patients_share_resamples_whatever_the_row_order():
    names = np.array([f"P{k}" for k in range(30)])
    order = np.random.default_rng(0).permutation(30)
    one, other = (resample_counts(x, bootstraps=9, seed=4) for x in (names, names[order]))
    assert (one[:, order] == other).all()
    assert (one != resample_counts(names, bootstraps=9, seed=5)).any()


def test_drawing_in_blocks_gives_the_same_resamples(monkeypatch):
    names = np.arange(31)
    whole = resample_counts(names, bootstraps=20, seed=3)
    monkeypatch.setattr("mtl_hcc.metrics.bootstrap.ELEMENTS_AT_ONCE", 100)
    assert (resample_counts(names, bootstraps=20, seed=3) == whole).all()


def test_resamples_without_a_value_are_left_out_but_not_when_they_are_the_most():
    values = np.append(np.linspace(0, 1, 101), np.nan)
    assert percentile_interval(values) == pytest.approx((0.025, 0.975))
    assert np.isnan(percentile_interval(np.array([0.5, np.nan, np.nan]))).all()


def test_p_counts_the_smaller_tail_twice_and_is_never_zero():
    assert two_sided_p(np.array([1.0, 2.0, 3.0, -1.0])) == pytest.approx(2 * 2 / 5)
    assert two_sided_p(np.ones(999)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.zeros(999)) == 1.0


def test_the_c_index_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)

    def draw(number):
        log_hazard = rng.normal(size=number)
        time = rng.exponential(np.exp(-log_hazard))
        end = rng.uniform(0.2, 3, size=number)
        return log_hazard, np.minimum(time, end), time <= end

    log_hazard, time, event = draw(4000)
    truth = concordance_statistic(log_hazard, time, event)(np.ones((1, 4000), np.float32))[0]
    covered = 0
    for trial in range(200):
        statistic = concordance_statistic(*draw(100))
        values = statistic(resample_counts(np.arange(100), bootstraps=200, seed=trial))
        low, high = percentile_interval(values)
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99

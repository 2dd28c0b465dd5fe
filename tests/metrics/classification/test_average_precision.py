import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtl_hcc.metrics.bootstrap import NotComputableError, resample_counts
from mtl_hcc.metrics.classification.average_precision import (
    average_precision,
    average_precision_statistic,
    precision_recall_points,
)

rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10).map(lambda k: k / 10)), min_size=1, max_size=60
)


@settings(deadline=None)
@given(rows)
def test_the_average_precision_equals_scikit_learn_with_ties(drawn):
    label, probability = (np.array(column) for column in zip(*drawn, strict=True))
    assume(label.any())
    expected = sklearn_metrics.average_precision_score(label, probability)
    assert average_precision(label, probability) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(rows)
def test_the_curve_has_the_average_precision_under_its_steps(drawn):
    label, probability = (np.array(column) for column in zip(*drawn, strict=True))
    assume(label.any())
    recall, precision = precision_recall_points(label, probability)
    area = np.sum(np.diff(recall, prepend=0) * precision)
    assert area == pytest.approx(average_precision(label, probability))
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(label.mean())


def test_resamples_equal_scikit_learn_on_the_drawn_patients():
    rng = np.random.default_rng(3)
    label, probability = rng.integers(0, 2, 50), rng.integers(0, 9, 50) / 9
    counts = resample_counts(np.arange(50), bootstraps=30, seed=4)
    found = average_precision_statistic(label, probability)(counts)
    for row, value in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(50), row.astype(int))
        expected = sklearn_metrics.average_precision_score(label[drawn], probability[drawn])
        assert value == pytest.approx(expected, abs=1e-12)


def test_folds_are_averaged_by_their_positives():
    rng = np.random.default_rng(5)
    label, probability, fold = rng.integers(0, 2, 60), rng.random(60), np.repeat([0, 1], [20, 40])
    single = [average_precision(label[fold == k], probability[fold == k]) for k in (0, 1)]
    positives = [label[fold == k].sum() for k in (0, 1)]
    found = average_precision(label, probability, strata=fold)
    assert found == pytest.approx(np.average(single, weights=positives))


def test_nobody_positive_is_a_reason_not_a_zero():
    with pytest.raises(NotComputableError, match="no positive patient"):
        average_precision([0, 0], [0.1, 0.2])
    with pytest.raises(NotComputableError, match="no positive patient"):
        precision_recall_points([0, 0], [0.1, 0.2])


def test_resamples_are_many_times_faster_than_one_by_one():
    rng = np.random.default_rng(6)
    label, probability = rng.integers(0, 2, 200), rng.random(200)
    statistic = average_precision_statistic(label, probability)
    counts = resample_counts(np.arange(200), bootstraps=1000)

    def shortest(work) -> float:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    one = shortest(lambda: sklearn_metrics.average_precision_score(label, probability))
    assert shortest(lambda: statistic(counts)) < 1000 * one / 10

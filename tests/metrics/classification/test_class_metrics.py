import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from mtl_hcc.metrics.bootstrap import NotComputableError, point_value, resample_counts
from mtl_hcc.metrics.classification.auc import auc
from mtl_hcc.metrics.classification.class_metrics import binary_statistics, multiclass_statistics
from mtl_hcc.metrics.thresholds import youden_threshold

rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10).map(lambda k: k / 10)), min_size=2, max_size=60
)


@settings(deadline=None)
@given(rows)
def test_the_auc_equals_scikit_learn_with_ties(drawn):
    label, probability = (np.array(column) for column in zip(*drawn, strict=True))
    assume(0 < label.sum() < len(label))
    expected = sklearn_metrics.roc_auc_score(label, probability)
    assert auc(label, probability) == pytest.approx(expected, abs=1e-12)


def test_probabilities_that_differ_by_rounding_alone_still_order():
    assert auc([0, 1], [1e-12, 2e-12]) == 1.0


def test_one_class_has_no_auc():
    with pytest.raises(NotComputableError, match="one class"):
        auc([1, 1], [0.2, 0.4])


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 90)
    probability = np.clip(0.3 * label + 0.7 * rng.random(90), 0, 1)
    return label, probability, probability >= 0.5


def oracle(label, probability, predicted):
    tn, fp, fn, _ = sklearn_metrics.confusion_matrix(label, predicted).ravel()
    return {
        "auc": sklearn_metrics.roc_auc_score(label, probability),
        "average_precision": sklearn_metrics.average_precision_score(label, probability),
        "f1": sklearn_metrics.f1_score(label, predicted),
        "accuracy": sklearn_metrics.accuracy_score(label, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(label, predicted),
        "sensitivity": sklearn_metrics.recall_score(label, predicted),
        "specificity": tn / (tn + fp),
        "ppv": sklearn_metrics.precision_score(label, predicted),
        "npv": tn / (tn + fn),
    }


def test_two_class_metrics_equal_scikit_learn_on_the_sample_and_on_resamples(binary):
    label, probability, predicted = binary
    statistics = binary_statistics(label, probability, predicted)
    counts = resample_counts(np.arange(90), bootstraps=20, seed=2)
    for row in [np.ones(90, dtype=np.float32), *counts]:
        drawn = np.repeat(np.arange(90), row.astype(int))
        expected = oracle(label[drawn], probability[drawn], predicted[drawn])
        found = {name: statistic(row[None])[0] for name, statistic in statistics.items()}
        assert found == pytest.approx(expected, abs=1e-12)


def test_undefined_proportions_are_nan_not_zero():
    statistics = binary_statistics([0, 0, 1], [0.1, 0.2, 0.3], np.zeros(3, dtype=bool))
    assert np.isnan(point_value(statistics["ppv"], 3))
    assert point_value(statistics["sensitivity"], 3) == 0
    assert point_value(statistics["f1"], 3) == 0


def test_three_class_metrics_equal_scikit_learn():
    rng = np.random.default_rng(7)
    label = rng.integers(0, 3, 120)
    probabilities = rng.dirichlet([1, 1, 1], size=120) + np.eye(3)[label]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    statistics = multiclass_statistics(label, probabilities)
    counts = resample_counts(np.arange(120), bootstraps=5, seed=2)
    for row in [np.ones(120, dtype=np.float32), *counts]:
        drawn = np.repeat(np.arange(120), row.astype(int))
        true, called, score = label[drawn], predicted[drawn], probabilities[drawn]
        single = [sklearn_metrics.roc_auc_score(true == k, score[:, k]) for k in range(3)]
        precision = [
            sklearn_metrics.average_precision_score(true == k, score[:, k]) for k in range(3)
        ]
        expected = {
            "auc": sklearn_metrics.roc_auc_score(true, score, multi_class="ovr"),
            **{f"auc_{k}": value for k, value in enumerate(single)},
            "average_precision": np.mean(precision),
            "kappa": sklearn_metrics.cohen_kappa_score(true, called, weights="quadratic"),
            "f1": sklearn_metrics.f1_score(true, called, average="macro"),
            "accuracy": sklearn_metrics.accuracy_score(true, called),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(true, called),
        }
        found = {name: statistic(row[None])[0] for name, statistic in statistics.items()}
        assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(rows)
def test_youden_finds_the_best_cut_off_of_all(drawn):
    label, probability = (np.array(column) for column in zip(*drawn, strict=True))
    assume(0 < label.sum() < len(label))

    def youden(cut: float) -> float:
        called = probability >= cut
        return called[label == 1].mean() - called[label == 0].mean()

    best = max(youden(cut) for cut in np.unique(probability))
    assert youden(youden_threshold(label, probability)) == pytest.approx(best)

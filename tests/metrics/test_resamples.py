import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import resample_counts
from mtl_hcc.metrics.predictions import check_predictions, with_outcome
from mtl_hcc.metrics.resamples import Resamples
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows
from mtl_hcc.metrics.thresholds import with_threshold


def sample_of(predictions: pd.DataFrame, task: str, split: str = "external") -> TaskRows:
    table = with_threshold(check_predictions(predictions), 0.5)
    kind = "survival" if task == "os" else "binary"
    rows = with_outcome(table[table["task"] == task], kind)
    return TaskRows(rows[rows["split"] == split], rows[rows["split"] == "train"], kind)


def test_draws_are_those_of_resample_counts_and_kept_for_the_same_patients():
    resamples = Resamples(bootstraps=7, seed=4)
    patients = pd.Series(["b", "a", "c", "a"])
    counts = resamples.counts(patients)
    np.testing.assert_array_equal(counts, resample_counts(patients, bootstraps=7, seed=4))
    assert resamples.counts(patients.copy()) is counts
    assert resamples.counts(patients.iloc[::-1]) is not counts


def test_equal_rows_are_computed_once_and_changed_rows_anew(predictions):
    resamples = Resamples(bootstraps=5)
    first = resamples.kept_metrics(sample_of(predictions, "mvi"))
    assert resamples.kept_metrics(sample_of(predictions.copy(), "mvi")) is first
    changed = predictions.assign(probability=predictions["probability"] / 2)
    assert resamples.kept_metrics(sample_of(changed, "mvi")) is not first
    outcome = predictions.assign(label=1 - predictions["label"])
    assert resamples.kept_metrics(sample_of(outcome, "mvi")) is not first
    assert resamples.kept_metrics(sample_of(predictions, "os")) is not first


def test_train_rows_belong_to_what_is_remembered(predictions):
    resamples = Resamples(bootstraps=5)
    first = resamples.kept_metrics(sample_of(predictions, "os"))
    train = predictions["split"] == "train"
    later = predictions.assign(time_days=predictions["time_days"] + train)
    assert resamples.kept_metrics(sample_of(later, "os")) is not first


def test_the_resampled_values_are_those_of_the_statistic():
    calls = []

    def mean(counts):
        calls.append(len(counts))
        return counts.astype(float) @ np.arange(4) / counts.sum(axis=1)

    resamples, patients = Resamples(bootstraps=9), pd.Series(list("abcd"))
    (found,) = resamples.resampled([TaskMetric("mean", mean, "")], patients)
    assert calls == [1], "the sample itself at once, the resamples when asked for"
    assert found.value == 1.5
    expected = mean(resample_counts(patients, bootstraps=9))
    np.testing.assert_allclose(found.values, expected)
    calls.clear()
    assert found.values is found.values
    assert calls == []

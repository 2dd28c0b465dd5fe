from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.bootstrap import Statistic, percentile_interval, point_value, resample_counts
from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.reclassification import idi_statistic, nri_statistic, reclassification_metrics

FOLDER = Path(__file__).parents[2] / "oracles" / "classification"


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(FOLDER / "patients.csv")


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(FOLDER / "unpaired.csv", index_col="name")


@pytest.fixture(scope="module")
def statistics(patients) -> dict[str, Statistic]:
    label, new, old = patients["label"], patients["a"], patients["b"]
    return {
        "nri": nri_statistic(label, new >= 0.5, old >= 0.5),
        "nri_continuous": nri_statistic(label, new, old),
        "idi": idi_statistic(label, new, old),
    }


@pytest.mark.parametrize("name", ["nri", "nri_continuous", "idi"])
def test_values_equal_hmisc_and_bootstrap_intervals_have_its_width(
    patients, expected, statistics, name
):
    value = point_value(statistics[name], len(patients))
    assert value == pytest.approx(expected.loc[name, "value"], abs=1e-12)
    counts = resample_counts(patients["patient_id"], bootstraps=4000, seed=1)
    low, high = percentile_interval(statistics[name](counts))
    assert high - low == pytest.approx(2 * 1.96 * expected.loc[name, "se"], rel=0.06)


def test_the_nri_at_a_threshold_is_the_gain_in_sensitivity_plus_specificity(patients, statistics):
    label = patients["label"] == 1
    gain = 0.0
    for sign, name in ((1, "a"), (-1, "b")):
        called = patients[name] >= 0.5
        gain += sign * (called[label].mean() + (~called)[~label].mean())
    assert point_value(statistics["nri"], len(patients)) == pytest.approx(gain)


def test_without_one_class_or_threshold_there_is_a_reason():
    rows = pd.DataFrame({"label": [1, 1], "probability": [0.2, 0.7], "threshold": np.nan})
    metrics = {metric.name: metric for metric in reclassification_metrics(rows, rows)}
    for metric in metrics.values():
        assert np.isnan(point_value(metric.statistic, 2))
    assert metrics["nri"].why_not == "no threshold of both models"
    assert metrics["idi"].why_not == "only one class among the labels"


def test_comparisons_hold_the_nri_and_idi_of_the_first_model_over_the_second(patients, expected):
    who = patients.assign(center="I", split="test", fold=0, task="mvi")
    both = [who.assign(model=name, probability=who[name]) for name in ("a", "b")]
    table = pd.concat(both)[
        ["patient_id", "center", "split", "fold", "task", "model", "label", "probability"]
    ]
    found = compare_models(table, bootstraps=200).set_index("metric")
    for name in ("nri", "nri_continuous", "idi"):
        assert found.loc[name, "difference"] == pytest.approx(expected.loc[name, "value"])
        assert found.loc[name, "ci_low"] < found.loc[name, "difference"]
        assert found.loc[name, "method"].startswith("paired_bootstrap")
    assert "threshold 0.5" in found.loc["nri", "method"]

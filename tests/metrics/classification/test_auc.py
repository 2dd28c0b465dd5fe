from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.auc import (
    delong_covariance,
    delong_difference,
    delong_interval,
    delong_unpaired,
)

ORACLES = Path(__file__).parents[2] / "oracles"

FOLDER = ORACLES / "classification"


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(FOLDER / "patients.csv")


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(FOLDER / "expected.csv", index_col="name")


@pytest.mark.parametrize("model", ["a", "b"])
def test_auc_and_interval_equal_r_proc(patients, expected, model):
    value, _ = delong_covariance(patients["label"], patients[model])
    interval = delong_interval(patients["label"], patients[model])
    assert value[0] == pytest.approx(expected.loc[f"auc_{model}", "value"], abs=1e-12)
    assert interval == pytest.approx(
        tuple(expected.loc[f"auc_{model}", ["low", "high"]]), abs=1e-12
    )


def test_the_paired_comparison_equals_r_proc(patients, expected):
    difference, low, high, p = delong_difference(patients["label"], patients["a"], patients["b"])
    row = expected.loc["difference"]
    assert (difference, low, high) == pytest.approx((row["value"], row["low"], row["high"]))
    assert p == pytest.approx(expected.loc["p", "value"], abs=1e-10)


def test_two_folds_of_the_same_patients_halve_the_variance(patients):
    label = np.tile(patients["label"], 2)
    folds = np.repeat([0, 1], len(patients))
    value, covariance = delong_covariance(patients["label"], patients["a"])
    # Fold 1 is on another scale: only pairs within a fold may count.
    scores = np.concatenate([patients["a"], patients["a"] + 10])
    twice, halved = delong_covariance(label, scores, strata=folds)
    assert twice == pytest.approx(value)
    assert halved == pytest.approx(covariance / 2)


def test_a_model_against_itself_has_p_1(patients):
    assert delong_difference(patients["label"], patients["a"], patients["a"]) == (0, 0, 0, 1)


def test_two_different_aucs_without_variance_have_no_p():
    p = delong_difference([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1])[3]
    assert np.isnan(p)


@pytest.mark.parametrize("label", [[1, 1, 1], [0, 0, 1]])
def test_too_few_of_a_class_are_refused(label):
    with pytest.raises(NotComputableError):
        delong_interval(label, [0.1, 0.2, 0.3])


def test_two_groups_of_patients_are_compared_as_by_r_proc(patients):
    expected = pd.read_csv(FOLDER / "unpaired.csv", index_col="name")["value"]
    a, b = patients.iloc[:70], patients.iloc[70:]
    difference, low, high, p = delong_unpaired(a["label"], a["a"], b["label"], b["a"])
    assert difference == pytest.approx(expected["unpaired_difference"], abs=1e-12)
    assert p == pytest.approx(expected["unpaired_p"], abs=1e-9)
    error = difference / stats.t.isf(p / 2, expected["unpaired_df"])
    half = abs(error) * stats.t.isf(0.025, expected["unpaired_df"])
    assert (low, high) == pytest.approx((difference - half, difference + half))


def test_two_perfect_groups_do_not_differ_and_small_ones_are_refused():
    perfect = ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert delong_unpaired(*perfect, *perfect) == (0, 0, 0, 1)
    with pytest.raises(NotComputableError, match="two patients of each class"):
        delong_unpaired([0, 0, 1], [0.1, 0.2, 0.3], *perfect)

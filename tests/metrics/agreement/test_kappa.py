from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from mtl_hcc.metrics.agreement.kappa import (
    agreement_weights,
    cohen_kappa,
    cross_table,
    fleiss_kappa_statistic,
    kappa_statistic,
)
from mtl_hcc.metrics.bootstrap import NotComputableError, point_value, resample_counts

FOLDER = Path(__file__).parents[2] / "oracles" / "agreement"


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(FOLDER / "expected.csv", index_col=["source", "statistic"])


@pytest.fixture(scope="module")
def readings():
    """Classes 0..2 of 90 patients by three readers."""
    return pd.read_csv(FOLDER / "categories.csv", index_col="patient_id") - 1


def test_kappa_equals_psych_with_its_interval(readings, expected):
    found = cohen_kappa(readings["reader_1"], readings["reader_2"], classes=3)
    row = expected.loc[("categories", "cohen_kappa")]
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx(
        tuple(row[["value", "low", "high"]]), abs=1e-9
    )


def test_weighted_kappa_equals_psych(readings, expected):
    found = cohen_kappa(readings["reader_1"], readings["reader_2"], classes=3, weights="quadratic")
    row = expected.loc[("categories", "cohen_kappa_quadratic")]
    assert found.value == pytest.approx(row["value"], abs=1e-9)


def test_the_interval_of_weighted_kappa_has_the_width_of_the_bootstrap(readings):
    first, second = readings["reader_1"], readings["reader_2"]
    found = cohen_kappa(first, second, classes=3, weights="quadratic")
    statistic = kappa_statistic(first, second, classes=3, weights="quadratic")
    values = statistic(resample_counts(readings.index, bootstraps=4000, seed=2))
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * values.std(), rel=0.05)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_values_and_intervals_equal_statsmodels(readings, weights):
    table = cross_table(readings["reader_1"], readings["reader_3"], 3)
    expected = cohens_kappa(table, wt=None if weights == "none" else weights)
    found = cohen_kappa(readings["reader_1"], readings["reader_3"], classes=3, weights=weights)
    assert found.value == pytest.approx(expected.kappa)
    assert found.ci_low == pytest.approx(expected.kappa_low)
    assert found.ci_high == pytest.approx(expected.kappa_upp)


def test_two_readers_of_the_response_of_hcc_tace_seg_agree_as_psych_says(clinical_tables, expected):
    table = pd.read_csv(clinical_tables / "hcc_tace_seg" / "clinical.csv")
    both = table[["1_mRECIST", "2_mRECIST"]].dropna().astype(int) - 1
    plain, weighted = (
        cohen_kappa(both["1_mRECIST"], both["2_mRECIST"], classes=4, weights=weights)
        for weights in ("none", "quadratic")
    )
    row = expected.loc[("mrecist_response", "cohen_kappa")]
    assert (plain.value, plain.ci_low, plain.ci_high) == pytest.approx(
        tuple(row[["value", "low", "high"]]), abs=1e-9
    )
    row = expected.loc[("mrecist_response", "cohen_kappa_quadratic")]
    assert weighted.value == pytest.approx(row["value"], abs=1e-9)


def test_resampled_kappa_equals_scikit_learn_on_the_drawn_patients(readings):
    first, second = readings["reader_1"].to_numpy(), readings["reader_2"].to_numpy()
    statistic = kappa_statistic(first, second, classes=3, weights="quadratic")
    counts = resample_counts(readings.index, bootstraps=20, seed=3)
    for row, value in zip(counts, statistic(counts), strict=True):
        drawn = np.repeat(np.arange(90), row.astype(int))
        expected = cohen_kappa_score(first[drawn], second[drawn], weights="quadratic")
        assert value == pytest.approx(expected)


def test_fleiss_kappa_equals_statsmodels_on_the_sample_and_on_resamples(readings):
    statistic = fleiss_kappa_statistic(readings, classes=3)
    assert point_value(statistic, 90) == pytest.approx(
        fleiss_kappa(aggregate_raters(readings.to_numpy())[0])
    )
    counts = resample_counts(readings.index, bootstraps=10, seed=5)
    for row, value in zip(counts, statistic(counts), strict=True):
        drawn = readings.to_numpy()[np.repeat(np.arange(90), row.astype(int))]
        assert value == pytest.approx(fleiss_kappa(aggregate_raters(drawn)[0]))


def test_one_class_only_has_no_kappa():
    with pytest.raises(NotComputableError, match="all readings name one class"):
        cohen_kappa([1, 1], [1, 1], classes=3)
    with pytest.raises(NotComputableError, match="no patient was read by both"):
        cohen_kappa([], [], classes=3)
    assert np.isnan(point_value(fleiss_kappa_statistic([[1, 1, 1], [1, 1, 1]], classes=3), 2))


def test_perfect_agreement_is_one():
    found = cohen_kappa([0, 1, 2, 1], [0, 1, 2, 1], classes=3, weights="linear")
    assert (found.value, found.ci_high) == (1, 1)
    assert found.ci_low == pytest.approx(1)


def test_weights_forgive_near_misses():
    assert agreement_weights(3, "none").tolist() == np.eye(3).tolist()
    assert agreement_weights(3, "linear")[0].tolist() == [1, 0.5, 0]
    assert agreement_weights(3, "quadratic")[0].tolist() == [1, 0.75, 0]

import time as clock
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_censored

from mtl_hcc.metrics.bootstrap import NotComputableError, resample_counts
from mtl_hcc.metrics.pair_counts import LaterAndLowerByMatrix, LaterAndLowerByTree
from mtl_hcc.metrics.survival.concordance import concordance_harrell, concordance_statistic
from mtl_hcc.metrics.survival.discrimination import discrimination_metrics
from mtl_hcc.metrics.task_metric import TaskRows

ORACLES = Path(__file__).parents[2] / "oracles"

patients = st.lists(
    st.tuples(
        st.integers(-4, 4).map(lambda k: k / 2),  # few values: ties in risk
        st.integers(1, 8),  # ties in time
        st.booleans(),
    ),
    min_size=2,
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(patients)
def test_it_equals_scikit_survival_with_ties_in_risk_and_in_time(rows):
    risk, time, event = (np.array(column) for column in zip(*rows, strict=True))
    event = event.astype(bool)
    comparable = event[:, None] & (
        (time[:, None] < time) | ((time[:, None] == time) & ~event[None, :])
    )
    assume(comparable.any())
    expected = concordance_index_censored(event, time, risk)[0]
    assert concordance_harrell(risk, time, event) == pytest.approx(expected, abs=1e-12)


def test_only_equal_risks_tie():
    risk, time, event = np.array([1.0, 1.0 + 5e-9, 0.0]), np.array([1, 2, 3]), np.array([1, 1, 0])
    expected = concordance_index_censored(event.astype(bool), time, risk, tied_tol=0)[0]
    assert concordance_harrell(risk, time, event) == pytest.approx(expected) == pytest.approx(2 / 3)


@settings(deadline=None, max_examples=100)
@given(patients, st.sampled_from([1e-300, 1e-12, 1e-9, 1e9]))
def test_the_unit_of_the_risk_does_not_matter(rows, unit):
    risk, time, event = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    table = pd.DataFrame({"risk": risk, "time_days": time, "event": event, "fold": 0})
    table = table.assign(patient_id=[str(k) for k in table.index])
    counts = resample_counts(table["patient_id"], bootstraps=3)
    one, other = (
        {
            (metric.name, metric.horizon_days): (metric.value, *metric.statistic(counts))
            for metric in discrimination_metrics(TaskRows(judged, judged.iloc[:0], "survival"))
        }
        for judged in (
            table.assign(time_days=300 * time),
            table.assign(time_days=300 * time, risk=risk * unit),
        )
    )
    assert one.keys() == other.keys()
    for key, values in one.items():
        of_unit = np.array(other[key], dtype=float)  # no library value is NaN, too
        assert np.array_equal(of_unit, np.array(values, dtype=float), equal_nan=True), key


def test_counts_give_what_the_repeated_rows_give():
    rng = np.random.default_rng(0)
    risk, time = rng.integers(0, 9, 50).astype(float), rng.integers(1, 20, 50)
    event = rng.random(50) < 0.5
    counts = resample_counts(np.arange(50), bootstraps=30, seed=1)
    values = concordance_statistic(risk, time, event)(counts)
    for row, value in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(50), row.astype(int))
        expected = concordance_index_censored(event[drawn], time[drawn], risk[drawn])[0]
        assert value == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(patients)
def test_the_tree_counts_what_the_matrix_counts(rows):
    risk, time, event = (np.array(column) for column in zip(*rows, strict=True))
    labels = risk, time.astype(float), event.astype(bool)
    counts = np.vstack([np.ones(len(risk)), resample_counts(np.arange(len(risk)), bootstraps=3)])
    by_matrix, by_tree = (
        way(*labels)(counts) for way in (LaterAndLowerByMatrix, LaterAndLowerByTree)
    )
    assert by_tree == pytest.approx(by_matrix, abs=1e-12)


def test_a_large_cohort_in_blocks_equals_scikit_survival(monkeypatch):
    rng = np.random.default_rng(2)
    number = 300
    risk, time = rng.normal(size=number).round(2), rng.integers(1, 2000, number)
    event = rng.random(number) < 0.4
    monkeypatch.setattr("mtl_hcc.metrics.pair_counts.MATRIX_UP_TO", number - 1)
    monkeypatch.setattr("mtl_hcc.metrics.bootstrap.ELEMENTS_AT_ONCE", 2 * number)
    counts = resample_counts(np.arange(number), bootstraps=3)
    values = concordance_statistic(risk, time, event)(counts)
    for row, value in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(number), row.astype(int))
        expected = concordance_index_censored(event[drawn], time[drawn], risk[drawn])[0]
        assert value == pytest.approx(expected, abs=1e-12)


def test_strata_compare_only_within_a_fold():
    time, event, fold = [1, 2, 1, 2], [1, 1, 1, 1], [0, 0, 1, 1]
    risk = [2.0, 1.0, 102.0, 101.0]  # fold 1 has another baseline
    assert concordance_harrell(risk, time, event, strata=fold) == 1.0
    assert concordance_harrell(risk, time, event) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("event", "reason"),
    [([0, 0], "no event"), ([1, 1], "no comparable pair"), ([], "no patient")],
)
def test_without_comparable_pairs_the_reason_is_given(event, reason):
    with pytest.raises(NotComputableError, match=reason):
        concordance_harrell(np.zeros(len(event)), np.ones(len(event)), event)


def test_a_thousand_resamples_of_388_patients_take_less_than_a_second():
    rng = np.random.default_rng(0)
    statistic = concordance_statistic(
        rng.normal(size=388), rng.integers(1, 2000, 388), rng.random(388) < 0.4
    )
    counts = resample_counts(np.arange(388))
    start = clock.perf_counter()
    statistic(counts)
    assert clock.perf_counter() - start < 1.0  # about 0.1 s on one core


def test_afp_on_tcga_lihc_equals_r(clinical_tables):
    table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    expected = pd.read_csv(ORACLES / "survival_metrics" / "tcga_lihc.csv", index_col="endpoint")
    for endpoint in ("os", "rfs"):
        rows = table.dropna(subset=["afp", f"{endpoint}_days", f"{endpoint}_event"])
        value = concordance_harrell(
            rows["afp"], rows[f"{endpoint}_days"], rows[f"{endpoint}_event"]
        )
        assert len(rows) == expected.loc[endpoint, "n"]
        assert value == pytest.approx(expected.loc[endpoint, "concordance"], abs=1e-12)

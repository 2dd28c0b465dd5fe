import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.nonparametric import CensoringDistributionEstimator, kaplan_meier_estimator
from sksurv.util import Surv

from mtl_hcc.metrics.bootstrap import resample_counts
from mtl_hcc.metrics.survival import censoring
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.survival.product_limit import ProductLimit
from mtl_hcc.metrics.task_metric import TaskRows

patients = st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=2, max_size=30)


def cohort(number, seed, *, fold=0, name="P"):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "patient_id": [f"{name}{k}" for k in range(number)],
            "fold": fold,
            "time_days": rng.integers(1, 60, number).astype(float),
            "event": (rng.random(number) < 0.5).astype(float),
        }
    )


@settings(deadline=None, max_examples=100)
@given(patients)
def test_the_curves_equal_scikit_survival_with_ties_of_events_and_censorings(rows):
    time, event = (np.array(column) for column in zip(*rows, strict=True))
    days = np.arange(0, time.max())  # the library stops at the last time
    ones = np.ones((1, len(time)), dtype=np.float32)
    followed = ProductLimit(time, event, of="censoring")
    if event.any() and not event.all():
        expected = CensoringDistributionEstimator().fit(Surv.from_arrays(event, time))
        found = followed(ones)[0, followed.after(days)]
        assert found == pytest.approx(expected.predict_proba(days), abs=1e-12)
    free = ProductLimit(time, event, of="event")
    at, expected = kaplan_meier_estimator(event, time)
    assert free(ones)[0, free.after(at)] == pytest.approx(expected, abs=1e-12)


def test_just_before_a_censoring_nobody_has_left_yet():
    curve = ProductLimit([1, 2, 2, 3], [1, 0, 1, 1], of="censoring")
    heights = curve(np.ones((1, 4), dtype=np.float32))[0]
    assert list(heights[curve.before([1, 2, 3])]) == [1.0, 1.0, 0.5]
    assert list(heights[curve.after([1, 2, 3])]) == [1.0, 0.5, 0.5]


@settings(deadline=None, max_examples=50)
@given(patients)
def test_counts_give_the_curve_of_the_repeated_rows(rows):
    time, event = (np.array(column) for column in zip(*rows, strict=True))
    curve, days = ProductLimit(time, event, of="censoring"), np.arange(10)
    for row in resample_counts(np.arange(len(time)), bootstraps=3):
        drawn = np.repeat(np.arange(len(time)), row.astype(int))
        repeated = ProductLimit(time[drawn], event[drawn], of="censoring")
        expected = repeated(np.ones((1, len(drawn)), dtype=np.float32))[0]
        found = curve(row[None])[0]
        for column in ("before", "after"):
            assert found[getattr(curve, column)(days)] == pytest.approx(
                expected[getattr(repeated, column)(days)], abs=1e-12
            )


def weights_of(weights, counts):
    return np.concatenate(
        [
            weights.event_weights(heights, len(counts[part]))
            for part, heights in weights.blocks(counts)
        ]
    )


def test_the_train_rows_judged_themselves_use_their_own_resample():
    rows = cohort(40, 0)
    counts = resample_counts(rows["patient_id"], bootstraps=5)
    alone = weights_of(CensoringWeights(TaskRows(rows, rows.iloc[:0], "survival")), counts)
    shuffled = rows.sample(frac=1, random_state=0)
    of_train = weights_of(CensoringWeights(TaskRows(rows, shuffled, "survival")), counts)
    assert (alone == of_train).all()


def test_the_sample_itself_takes_the_train_rows_as_they_are_and_resamples_redraw_them():
    rows, train = cohort(30, 0), cohort(80, 1, name="T")
    weights = CensoringWeights(TaskRows(rows, train, "survival"))
    curve = ProductLimit(train["time_days"], train["event"], of="censoring")
    heights = curve(np.ones((1, 80), dtype=np.float32))[0]
    expected = 1 / heights[curve.before(rows["time_days"])]
    ones = np.ones((1, 30), dtype=np.float32)
    assert weights_of(weights, ones)[0] == pytest.approx(expected)
    drawn = weights_of(weights, resample_counts(rows["patient_id"], bootstraps=300))
    assert drawn.std(axis=0).max() > 0.02
    late = rows["time_days"] < 40
    assert drawn.mean(axis=0)[late] == pytest.approx(expected[late], rel=0.1)
    assert "train" in weights.note


def test_models_and_blocks_share_the_redrawn_train_patients(monkeypatch):
    rows, train = cohort(30, 0), cohort(50, 1, name="T")
    counts = resample_counts(rows["patient_id"], bootstraps=20)
    sample = TaskRows(rows, train, "survival")
    whole = weights_of(CensoringWeights(sample), counts)
    assert (weights_of(CensoringWeights(sample), counts) == whole).all()
    monkeypatch.setattr(censoring, "KEPT_UP_TO", 0)
    monkeypatch.setattr(censoring, "ELEMENTS_AT_ONCE", 300)
    assert (weights_of(CensoringWeights(sample), counts) == whole).all()


def test_every_fold_has_the_weights_of_its_own_train_rows():
    rows = pd.concat([cohort(20, 0, fold=0, name="A"), cohort(25, 1, fold=1, name="B")])
    rows = rows.reset_index(drop=True)
    train = pd.concat([cohort(60, 2, fold=0, name="C"), cohort(60, 3, fold=1, name="D")])
    both = weights_of(
        CensoringWeights(TaskRows(rows, train, "survival")), np.ones((1, 45), dtype=np.float32)
    )[0]
    for fold in (0, 1):
        own = TaskRows(rows[rows["fold"] == fold], train[train["fold"] == fold], "survival")
        alone = weights_of(CensoringWeights(own), np.ones((1, len(own.rows)), dtype=np.float32))
        assert both[rows["fold"] == fold] == pytest.approx(alone[0])


def test_many_train_patients_are_held_fixed_and_the_note_says_so(monkeypatch):
    monkeypatch.setattr(censoring, "REDRAWN_UP_TO", 10)
    rows, train = cohort(10, 0), cohort(40, 1, name="T")
    weights = CensoringWeights(TaskRows(rows, train, "survival"))
    drawn = weights_of(weights, resample_counts(rows["patient_id"], bootstraps=5))
    assert (drawn == drawn[0]).all()
    assert "held fixed" in weights.note


def test_after_the_last_train_patient_nobody_can_be_weighted():
    rows = cohort(3, 0).assign(time_days=[1.0, 5.0, 9.0], event=1.0)
    train = cohort(2, 1, name="T").assign(time_days=[2.0, 4.0], event=0.0)
    weights = CensoringWeights(TaskRows(rows, train, "survival"))
    assert list(weights_of(weights, np.ones((1, 3), dtype=np.float32))[0]) == [1.0, 0.0, 0.0]
    ((_, heights),) = weights.blocks(np.ones((1, 3), dtype=np.float32))
    assert np.isnan(weights.horizon_weights(heights, 4.0, 1)).all()

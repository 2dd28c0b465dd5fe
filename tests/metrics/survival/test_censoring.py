import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.nonparametric import CensoringDistributionEstimator, kaplan_meier_estimator
from sksurv.util import Surv

from mtl_hcc.metrics.bootstrap import resample_counts
from mtl_hcc.metrics.survival import censoring
from mtl_hcc.metrics.survival.censoring import CensoringWeights, HorizonOutcome
from mtl_hcc.metrics.survival.product_limit import ProductLimit

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


def weights_of(rows, counts):
    weights = CensoringWeights(rows)
    return np.concatenate([weights.event_weights(heights) for _, heights in weights.blocks(counts)])


def test_the_weights_of_a_resample_are_those_of_its_rows():
    rows = cohort(40, 0)
    counts = resample_counts(rows["patient_id"], bootstraps=5)
    found = weights_of(rows, counts)
    for place, row in enumerate(counts):
        drawn = np.repeat(np.arange(40), row.astype(int))
        curve = ProductLimit(rows["time_days"][drawn], rows["event"][drawn], of="censoring")
        heights = curve(np.ones((1, len(drawn)), dtype=np.float32))[0]
        expected = 1 / heights[curve.before(rows["time_days"])[drawn]]
        assert found[place][drawn] == pytest.approx(expected)


def test_large_cohorts_in_blocks_have_the_same_weights(monkeypatch):
    rows = cohort(30, 0)
    counts = resample_counts(rows["patient_id"], bootstraps=20)
    whole = weights_of(rows, counts)
    monkeypatch.setattr(censoring, "KEPT_UP_TO", 0)
    monkeypatch.setattr(censoring, "ELEMENTS_AT_ONCE", 300)
    assert (weights_of(rows, counts) == whole).all()


def test_folds_share_one_curve_because_they_tell_models_apart_and_not_patients():
    rows = cohort(45, 0)
    folds = rows.assign(fold=np.arange(45) % 3)
    ones = np.ones((1, 45), dtype=np.float32)
    assert (weights_of(folds, ones) == weights_of(rows, ones)).all()


def test_calibration_has_the_weights_of_every_other_metric():
    rows = cohort(60, 3)
    counts = resample_counts(rows["patient_id"], bootstraps=10)
    outcome = HorizonOutcome(rows["time_days"], rows["event"], 25)
    case = ((rows["event"] == 1) & (rows["time_days"] <= 25)).to_numpy()
    control = (rows["time_days"] > 25).to_numpy()
    found, weights = outcome(counts), CensoringWeights(rows)
    ((_, heights),) = weights.blocks(counts)
    assert found[:, case] == pytest.approx((counts * weights.event_weights(heights))[:, case])
    beyond = (counts * weights.horizon_weights(heights, 25))[:, control]
    assert found[:, control] == pytest.approx(np.nan_to_num(beyond))
    assert (found[:, ~(case | control)] == 0).all()


def test_after_the_last_row_nobody_can_be_weighted():
    rows = cohort(2, 1).assign(time_days=[2.0, 4.0], event=[1.0, 0.0])
    weights = CensoringWeights(rows)
    ((_, heights),) = weights.blocks(np.ones((1, 2), dtype=np.float32))
    assert weights.horizon_weights(heights, 3.0).tolist() == [[1.0]]
    assert np.isnan(weights.horizon_weights(heights, 4.0)).all()

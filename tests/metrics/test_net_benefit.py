import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from mtl_hcc.metrics.bootstrap import resample_counts
from mtl_hcc.metrics.net_benefit import (
    TREAT_ALL,
    TREAT_NONE,
    class_shares,
    decision_curves,
    net_benefit,
    survival_shares,
)


def test_an_example_by_hand():
    label, probability = [1, 1, 0, 0, 0], [0.9, 0.3, 0.6, 0.2, 0.1]
    cuts = [0.25, 0.5]
    found = net_benefit(class_shares(label, probability, cuts), cuts, np.ones((1, 5)))[0]
    assert found == pytest.approx([100 * (2 / 5 - 1 / 5 / 3), 100 * (1 / 5 - 1 / 5)])


def test_at_the_threshold_a_patient_is_treated():
    found = net_benefit(class_shares([1], [0.5], [0.5]), [0.5], np.ones((1, 1)))
    assert found[0, 0] == 100


patients = st.lists(
    st.tuples(st.integers(1, 8), st.booleans(), st.integers(1, 9)), min_size=2, max_size=30
)


@settings(deadline=None, max_examples=50)
@given(patients, st.integers(2, 7))
def test_a_censored_outcome_uses_kaplan_meier_among_those_treated(rows, horizon):
    time, event, tenth = (np.array(column) for column in zip(*rows, strict=True))
    probability, cuts = tenth / 10, np.array([0.15, 0.45, 0.85])
    shares = survival_shares(time, event, probability, cuts, horizon)
    found = net_benefit(shares, cuts, np.ones((1, len(time)), dtype=np.float32))[0]
    for cut, value in zip(cuts, found, strict=True):
        above = probability >= cut
        if not above.any():
            assert value == 0
            continue
        survival = KaplanMeierFitter().fit(time[above], event[above]).predict(horizon)
        if time[above].max() < horizon and survival > 0:
            assert np.isnan(value)
            continue
        expected = above.mean() * (1 - survival) - above.mean() * survival * cut / (1 - cut)
        assert value == pytest.approx(100 * expected, abs=1e-9)


def test_without_censoring_before_the_horizon_survival_and_classes_agree():
    rng = np.random.default_rng(0)
    time, probability, cuts = rng.integers(1, 100, 60), rng.random(60), np.array([0.1, 0.3, 0.6])
    event = time <= 50
    counts = resample_counts(np.arange(60), bootstraps=30)
    survival = net_benefit(survival_shares(time, event, probability, cuts, 50), cuts, counts)
    classes = net_benefit(class_shares(event, probability, cuts), cuts, counts)
    assert survival == pytest.approx(classes, abs=1e-4)


def test_counts_give_what_the_repeated_rows_give():
    rng = np.random.default_rng(0)
    time, event = rng.integers(1, 100, 60), rng.random(60) < 0.5
    probability, cuts = rng.random(60), np.array([0.2, 0.5])
    counts = resample_counts(np.arange(60), bootstraps=10)
    values = net_benefit(survival_shares(time, event, probability, cuts, 50), cuts, counts)
    for row, found in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(60), row.astype(int))
        alone = survival_shares(time[drawn], event[drawn], probability[drawn], cuts, 50)
        expected = net_benefit(alone, cuts, np.ones((1, 60), dtype=np.float32))[0]
        assert found == pytest.approx(expected, nan_ok=True)


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    p = rng.random(200)
    return pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(200)],
            "label": (rng.random(200) < p).astype(float),
            "probability": p,
        }
    )


def test_treating_all_and_none_are_the_two_extremes(rows):
    cuts = [0.01, 0.5, 0.9]
    curves = decision_curves({"network": rows}, cuts, bootstraps=0)
    share = rows["label"].mean()
    odds = np.array(cuts) / (1 - np.array(cuts))
    assert curves[TREAT_ALL].value == pytest.approx(100 * (share - (1 - share) * odds))
    assert curves[TREAT_NONE].value.tolist() == [0, 0, 0]
    assert np.isnan(curves["network"].ci_low).all()


def test_true_probabilities_beat_all_and_none_and_the_interval_holds_the_value(rows):
    cuts = np.array([0.2, 0.5, 0.8])
    curves = decision_curves({"network": rows}, cuts, bootstraps=200)
    network = curves["network"]
    assert (network.value > np.maximum(curves[TREAT_ALL].value, 0)).all()
    assert ((network.ci_low < network.value) & (network.value < network.ci_high)).all()


def test_models_of_the_same_patients_share_their_resamples(rows):
    curves = decision_curves({"one": rows, "two": rows.copy()}, [0.3], bootstraps=100)
    assert curves["one"].ci_low == curves["two"].ci_low

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.pooling import logit_errors, pool_random_effects, pool_shares

SETS = {  # as in the script of the oracle
    "heterogeneous": ([0.81, 0.62, 0.74, 0.55, 0.90], [0.15, 0.20, 0.18, 0.25, 0.30]),
    "alike": ([0.71, 0.70, 0.72, 0.69], [0.20, 0.25, 0.30, 0.22]),
}
R = pd.read_csv(Path(__file__).parents[1] / "oracles" / "pooling" / "pooling.csv")
R = R[R["set"].isin(list(SETS))]  # R pools two centers as well


def logit(share):
    return np.log(np.asarray(share) / (1 - np.asarray(share)))


@pytest.mark.parametrize(
    "expected", R.to_dict("records"), ids=lambda row: f"{row['set']}-{row['method']}-{row['test']}"
)
def test_pooled_values_are_those_of_metafor(expected):
    values, errors = SETS[expected["set"]]
    found = pool_random_effects(
        logit(values), errors, method=expected["method"], modified=expected["test"] == "adhoc"
    )
    for name in R.columns[3:]:
        tolerance = 2e-5 if name != "i2" else 2e-3  # metafor stops its scoring at 1e-5
        assert getattr(found, name) == pytest.approx(expected[name], abs=tolerance), name


def test_statsmodels_agrees_on_dersimonian_and_laird():
    from statsmodels.stats.meta_analysis import combine_effects

    values, errors = SETS["heterogeneous"]
    found = pool_random_effects(logit(values), errors, method="DL")
    expected = combine_effects(logit(values), np.square(errors), method_re="chi2", use_t=True)
    interval = expected.conf_int(use_t=True)[3]  # random effects, Hartung and Knapp's scale
    assert [found.value, found.ci_low, found.ci_high] == pytest.approx(
        [expected.mean_effect_re, *interval]
    )


def test_shares_are_pooled_as_logits_with_errors_from_their_intervals():
    values, errors = SETS["heterogeneous"]
    reach = 1.959963984540054 * np.array(errors)
    lows, highs = (1 / (1 + np.exp(-(logit(values) + side * reach))) for side in (-1, 1))
    found = pool_shares(values, lows, highs)
    expected = pool_random_effects(logit(values), errors, modified=True)
    assert logit(found.value) == pytest.approx(expected.value)
    assert logit(found.prediction_high) == pytest.approx(expected.prediction_high)
    assert found.weights == pytest.approx(expected.weights)


def test_an_interval_that_reaches_one_has_no_error():
    assert np.isnan(logit_errors([0.5, 0.0], [1.0, 0.8])).all()
    with pytest.raises(NotComputableError, match="no standard error"):
        pool_shares([0.7, 0.8, 0.6], [0.5, 0.5, 0.4], [0.9, 1.0, 0.7])


@pytest.mark.parametrize("centers", [0, 1, 2])
def test_fewer_than_three_centers_are_not_pooled(centers):
    with pytest.raises(NotComputableError, match="fewer than three centers"):
        pool_random_effects([0.3, 0.9][:centers], [0.1, 0.2][:centers])


def test_two_centers_would_be_pooled_to_an_interval_of_everything():
    """What R gives for C-indices of 0.75 and 0.60, on the logit scale."""
    everything = pd.read_csv(Path(__file__).parents[1] / "oracles" / "pooling" / "pooling.csv")
    two = everything[everything["set"] == "two"]
    assert (1 / (1 + np.exp(-two["ci_low"])) < 0.03).all()
    assert (1 / (1 + np.exp(-two["ci_high"])) > 0.99).all()


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(0.05, 1)), min_size=3, max_size=12),
    st.sampled_from(["REML", "DL"]),
)
def test_the_mean_lies_among_the_centers_and_the_intervals_around_it(centers, method):
    y, s = np.array(centers).T
    found = pool_random_effects(y, s, method=method)
    assert y.min() - 1e-9 <= found.value <= y.max() + 1e-9
    assert found.prediction_low <= found.ci_low <= found.value <= found.ci_high
    assert found.weights.sum() == pytest.approx(1)
    assert found.tau2 >= 0
    assert 0 <= found.i2 <= 100
    reversed_order = pool_random_effects(y[::-1], s[::-1], method=method)
    assert reversed_order.value == pytest.approx(found.value, abs=1e-6)

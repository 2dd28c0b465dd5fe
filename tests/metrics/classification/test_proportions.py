from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mtl_hcc.metrics.classification.confusion_counts import wilson_interval

ORACLES = Path(__file__).parents[2] / "oracles"


@pytest.mark.parametrize(("hits", "number"), [(8, 10), (0, 7), (33, 33), (101, 240)])
def test_wilson_equals_r_prop_test(hits, number):
    expected = pd.read_csv(ORACLES / "classification" / "expected.csv", index_col="name")
    row = expected.loc[f"wilson_{hits}_{number}"]
    assert wilson_interval(hits, number) == pytest.approx((row["low"], row["high"]), abs=1e-12)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(counted):
    expected = binomtest(*counted).proportion_ci(method="wilson")
    assert wilson_interval(*counted) == pytest.approx((expected.low, expected.high), abs=1e-12)

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtl_hcc.metrics.agreement.intraclass import FORMS, intraclass_correlations
from mtl_hcc.metrics.bootstrap import NotComputableError

FOLDER = Path(__file__).parents[2] / "oracles" / "agreement"
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
"""Four judges rate six targets (Psychological Bulletin 1979;86:420-428, table 2)."""


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(FOLDER / "expected.csv", index_col=["source", "statistic"])


def assert_equal_to_psych(found, expected, source):
    for name in FORMS:
        row = expected.loc[(source, name)]
        form = found[name]
        assert (form.value, form.ci_low, form.ci_high) == pytest.approx(
            (row["value"], row["low"], row["high"]), abs=1e-9
        )
        assert form.p == pytest.approx(row["p"], rel=1e-6)


def test_the_six_forms_equal_psych_on_the_table_of_shrout_and_fleiss(expected):
    found = intraclass_correlations(SHROUT_FLEISS)
    assert_equal_to_psych(found, expected, "shrout_fleiss")
    printed = [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]  # in the paper
    assert [round(found[name].value, 2) for name in FORMS] == printed


def test_three_readers_of_hcc_tace_seg_agree_as_psych_says(clinical_tables, expected):
    table = pd.read_csv(clinical_tables / "hcc_tace_seg" / "clinical.csv")
    recist = table[[f"{k}_RECIST_BL" for k in (1, 2, 3)]].dropna()
    assert len(recist) == 93
    assert_equal_to_psych(intraclass_correlations(recist), expected, "recist_baseline")


def test_identical_readings_agree_perfectly():
    found = intraclass_correlations([[1.1, 1.1], [2.7, 2.7], [5.3, 5.3]])
    for form in found.values():
        assert (form.value, form.ci_low, form.ci_high) == (1, 1, 1)
        assert form.p == 0


def test_a_constant_shift_is_forgiven_by_consistency_only():
    found = intraclass_correlations([[1, 3], [2, 4], [5, 7], [9, 11]])
    assert found["icc_3_1"].value == pytest.approx(1)
    assert found["icc_2_1"].value < 0.9
    assert found["icc_2_1"].ci_low <= found["icc_2_1"].value <= found["icc_2_1"].ci_high


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ([[3.3, 3.3], [3.3, 3.3]], "do not differ between patients"),
        ([[1, 2, 3]], "1 patients"),
        ([[1], [2]], "of 1 readings"),
    ],
)
def test_what_has_no_value_says_why(ratings, reason):
    with pytest.raises(NotComputableError, match=reason):
        intraclass_correlations(ratings)


drawn = arrays(
    float, st.tuples(st.integers(3, 9), st.integers(2, 4)), elements=st.integers(0, 9).map(float)
)


@settings(deadline=None, max_examples=50)
@given(drawn)
def test_scale_shift_and_order_of_patients_change_nothing(ratings):
    assume(np.ptp(ratings.mean(axis=1)) > 1e-9)
    found = intraclass_correlations(ratings)
    assume(found["icc_3_1"].f > 1.01)
    assume(found["icc_1_1"].f > 1.01)  # below, a correlation is negative and has no bounds
    moved = intraclass_correlations(3.7 * ratings[::-1] + 11)
    for name, form in found.items():
        assert moved[name].value == pytest.approx(form.value, abs=1e-9)
        assert -1e-9 <= form.value <= 1 + 1e-9
        assert form.ci_low <= form.value + 1e-9
        assert form.value <= form.ci_high + 1e-9

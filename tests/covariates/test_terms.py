import numpy as np
import pandas as pd
import pytest

from mtl_hcc.covariates.terms import Term, covariate, needs_logarithm, reading_of, step_of

EVENT = pd.Series([0.0, 1.0] * 20)


def terms_of(cells, event=EVENT, *, time_to_event=True):
    cells = pd.Series(cells)
    return covariate(reading_of("x", cells), cells, event, time_to_event=time_to_event)


def test_a_long_tail_is_taken_as_its_logarithm(patients):
    found = reading_of("afp_ng_ml", patients["afp_ng_ml"])
    assert found.log
    made = covariate(found, patients["afp_ng_ml"], patients["os_event"], time_to_event=True)
    np.testing.assert_allclose(made.terms[0].values, np.log10(patients["afp_ng_ml"]))
    assert made.terms[0].covariate == "AFP (ng/mL)"
    assert made.terms[0].comparison == "per tenfold (log10)"
    assert not needs_logarithm(patients["age_years"])
    assert not needs_logarithm([0, 1, 10, 1e5])  # zero has no logarithm


def test_a_ratio_is_per_a_round_step(patients):
    made = covariate(
        reading_of("age_years", patients["age_years"]),
        patients["age_years"],
        patients["os_event"],
        time_to_event=True,
    )
    assert made.terms[0].comparison == "per 10 years"
    np.testing.assert_allclose(made.terms[0].values, patients["age_years"] / 10)
    assert step_of([3.5, 4.0, 4.6]) == pytest.approx(0.1)
    assert step_of([5, 5]) == 1
    one = Term("age_years", pd.Series([1.0]))
    assert one.comparison == "per year"
    assert Term("platelets_10e9_l", pd.Series([1.0]), step=100.0).comparison == "per 100 x 10^9/L"


def test_levels_are_compared_with_the_lowest_or_where_it_is_rare_the_most_frequent():
    usual = terms_of(["I"] * 10 + ["II"] * 20 + ["III"] * 10)
    assert [(t.level, t.reference) for t in usual.terms] == [("II", "I"), ("III", "I")]
    cells = pd.Series(["0"] * 6 + ["A"] * 60 + ["B"] * 34)
    rare = terms_of(cells, pd.Series([0.0, 1.0] * 50))
    assert [(t.level, t.reference) for t in rare.terms] == [("0", "A"), ("B", "A")]
    assert rare.terms[0].values.sum() == 6


def test_levels_without_an_estimate_say_why_and_leave_their_patients_out():
    cells = ["A"] * 16 + ["B"] * 12 + ["C"] * 3 + ["D"] * 9
    event = EVENT.copy()
    event[31:] = 0
    made = terms_of(cells, event)
    assert made.left_out == {"C": "fewer than 5 patients", "D": "no event"}
    assert made.terms[0].values.isna().sum() == 12
    event[31:] = 1
    assert terms_of(cells, event).left_out == {"C": "fewer than 5 patients"}
    as_class = terms_of(cells, event, time_to_event=False)
    assert as_class.left_out["D"] == "no negative patient"


def test_a_category_with_one_level_left_has_no_term():
    made = terms_of(["A"] * 38 + ["B"] * 2)
    assert made.terms == ()
    assert made.left_out == {"B": "fewer than 5 patients"}

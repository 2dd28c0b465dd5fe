import numpy as np
import pandas as pd
import pytest
from group_studies import TERMS

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.cox_regression import cox_regression

OF_R = {"sexmale": "sex male", "highTRUE": "high", "child_pughB": "child_pugh B"}


def test_ratios_intervals_and_both_tests_equal_r(study, patients, found_by_r):
    found = cox_regression(patients, "time", "event", TERMS[study])
    for column in ("hazard_ratio", "ci_low", "ci_high", "p", "ph_p"):
        expected = found_by_r(f"cox {column}")
        assert len(expected) == len(found)
        for term, value in expected.items():
            name = OF_R.get(term, term.replace("child_pughC", "child_pugh C"))
            assert found.loc[name, column] == pytest.approx(value, rel=1e-5), (term, column)
    for attribute in ("n", "events", "ph_global_p"):
        (value,) = found_by_r(f"cox {attribute}").values()
        assert found.attrs[attribute] == pytest.approx(value, rel=1e-5)
    assert found.attrs["n"] + found.attrs["dropped"] == len(patients)


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "days": rng.integers(1, 500, 60),
            "event": (rng.random(60) < 0.6).astype(int),
            "size": rng.normal(40, 10, 60),
            "stage": pd.Categorical(rng.choice(["late", "early"], 60), ["early", "late"]),
            "one": 1.0,
        }
    )


def test_the_first_category_is_the_reference_and_an_unseen_one_is_no_term(table):
    with_unseen = table.assign(stage=table["stage"].cat.add_categories("never"))
    found = cox_regression(with_unseen, "days", "event", ["stage"])
    assert list(found.index) == ["stage late"]
    other = cox_regression(
        table.assign(stage=table["stage"].astype(str)), "days", "event", ["stage"]
    )
    assert found.loc["stage late", "hazard_ratio"] == pytest.approx(
        other.loc["stage late", "hazard_ratio"]
    )


def test_the_unit_of_a_covariate_changes_the_ratio_not_the_p(table):
    found = cox_regression(table, "days", "event", ["size"])
    in_meters = cox_regression(table.assign(size=table["size"] / 10), "days", "event", ["size"])
    assert in_meters["hazard_ratio"].iloc[0] == pytest.approx(found["hazard_ratio"].iloc[0] ** 10)
    assert in_meters["p"].iloc[0] == pytest.approx(found["p"].iloc[0])
    assert in_meters["ph_p"].iloc[0] == pytest.approx(found["ph_p"].iloc[0])


def test_empty_cells_are_dropped_and_counted(table):
    table.loc[:4, "size"] = np.nan
    assert cox_regression(table, "days", "event", ["size"]).attrs["dropped"] == 5


@pytest.mark.parametrize(
    ("change", "covariates", "reason"),
    [
        ({"event": 0}, ["size"], "no event"),
        ({"size": np.nan}, ["size"], "no patient without an empty cell"),
        ({}, ["size", "one"], "one has one value only"),
        ({"stage": "early"}, ["stage"], "stage has one value only"),
        ({}, [], "no covariate"),
    ],
)
def test_a_model_that_cannot_be_fitted_says_why(table, change, covariates, reason):
    with pytest.raises(NotComputableError, match=reason):
        cox_regression(table.assign(**change), "days", "event", covariates)


def test_the_collinear_and_the_separating_term_are_named(table):
    table = table.assign(twice=2 * table["size"] + 1, safe=(table["event"] == 0) * 1.0)
    with pytest.raises(NotComputableError, match="twice is a combination"):
        cox_regression(table, "days", "event", ["size", "twice"])
    with pytest.raises(NotComputableError, match="hazard ratio of safe has no finite estimate"):
        cox_regression(table, "days", "event", ["size", "safe"])


def test_one_event_time_leaves_proportional_hazards_untested():
    table = pd.DataFrame({"days": [5, 5, 9, 9, 9], "event": [1, 1, 0, 0, 0], "x": [1, 3, 2, 4, 0]})
    found = cox_regression(table, "days", "event", ["x"])
    assert found["ph_p"].isna().all()
    assert np.isfinite(found["hazard_ratio"]).all()

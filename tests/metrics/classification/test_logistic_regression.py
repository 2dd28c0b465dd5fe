from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.logistic_regression import logistic_regression

R = pd.read_csv(Path(__file__).parents[2] / "oracles" / "regression" / "regression.csv")
TABLE = pd.DataFrame({"mvi": [0, 1, 0, 1, 1, 0, 1, 0], "x": [1, 2, 3, 4, 5, 2, 3, 4]})


@pytest.fixture(scope="module")
def tcga(clinical_tables):
    table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    return table.assign(log_afp=np.log10(table["afp"]), male=(table["sex"] == "male").astype(float))


@pytest.mark.parametrize("model", [name for name in R["model"].unique() if name.startswith("mvi")])
def test_odds_ratios_of_tcga_lihc_are_those_of_glm(tcga, model):
    expected = R[R["model"] == model].set_index("term")
    found = logistic_regression(tcga, "mvi", model.removeprefix("mvi ~ ").split(" + "))
    assert list(found.index) == list(expected.index)
    columns = ["ratio", "ci_low", "ci_high", "p"]
    np.testing.assert_allclose(found, expected[columns], rtol=1e-5)
    assert found.attrs["n"] == expected["n"].iloc[0]
    assert found.attrs["events"] == expected["events"].iloc[0]
    assert found.attrs["n"] + found.attrs["dropped"] == len(tcga)


def test_the_intercept_gives_back_the_prevalence():
    found = logistic_regression(TABLE, "mvi", ["x"])
    odds = found.attrs["intercept"] + np.log(found["odds_ratio"]["x"]) * TABLE["x"]
    assert (1 / (1 + np.exp(-odds))).mean() == pytest.approx(TABLE["mvi"].mean(), abs=1e-6)


def test_levels_of_a_text_are_compared_with_the_first():
    table = TABLE.assign(stage=list("AABBBACC"))
    found = logistic_regression(table.iloc[:6], "mvi", ["stage"])
    assert list(found.index) == ["stage B"]
    assert found["odds_ratio"].item() == pytest.approx((2 / 1) / (1 / 2), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "covariates", "reason"),
    [
        ({"x": [0, 1, 0, 1, 1, 0, 1, 0]}, ["x"], "x has no finite estimate"),
        ({"x": [0, 1, 0, 1, 0, 0, 0, 0]}, ["x"], "x has no finite estimate"),
        ({"x": 3}, ["x"], "x has one value only"),
        ({"y": 2 * TABLE["x"] + 1}, ["x", "y"], "y is a combination of the other terms"),
        ({"mvi": 1}, ["x"], "one class only"),
        ({"x": np.nan}, ["x"], "no patient without an empty cell"),
        ({"stage": "A"}, ["stage"], "stage has one value only"),
    ],
)
def test_what_has_no_estimate_says_why(change, covariates, reason):
    with pytest.raises(NotComputableError, match=reason):
        logistic_regression(TABLE.assign(**change), "mvi", covariates)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_a_change_of_unit_changes_the_ratio_as_a_power_and_no_p(seed, unit):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=80)
    table = pd.DataFrame({"mvi": (rng.normal(size=80) < 0.5 * x) * 1.0, "x": x})
    in_unit = logistic_regression(table.assign(x=x * unit), "mvi", ["x"])
    found = logistic_regression(table, "mvi", ["x"])
    assert np.log(in_unit["odds_ratio"]["x"]) * unit == pytest.approx(
        np.log(found["odds_ratio"]["x"]), rel=1e-5, abs=1e-7
    )
    assert in_unit["p"]["x"] == pytest.approx(found["p"]["x"], abs=1e-6)

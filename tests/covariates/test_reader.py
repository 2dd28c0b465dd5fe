import numpy as np
import pandas as pd
import pytest

from mtl_hcc.data.network_covariates import encode_covariates
from mtl_hcc.errors import TableError

TABLE = pd.DataFrame(
    {
        "age_years": [61, np.nan, 70],
        "afp_ng_ml": [9, 999, np.nan],
        "child_pugh": ["A", None, "B"],
        "cirrhosis": [1.0, 0.0, np.nan],
    },
    index=["P1", "P2", "P3"],
)


def test_values_levels_and_gaps_come_out_as_worked_by_hand():
    values, names = encode_covariates(
        TABLE,
        {
            "age_years": "linear",
            "afp_ng_ml": "log",
            "child_pugh": ["A", "B", "C"],
            "cirrhosis": ["0", "1"],
        },
    )
    assert names == [
        "age_years",
        "afp_ng_ml",
        "child_pugh=A",
        "child_pugh=B",
        "child_pugh=C",
        "cirrhosis=0",
        "cirrhosis=1",
    ]
    nan = np.nan
    expected = [
        [61, 1, 1, 0, 0, 0, 1],
        [nan, 3, nan, nan, nan, 1, 0],
        [70, nan, 0, 1, 0, nan, nan],
    ]
    np.testing.assert_allclose(values, expected)
    assert values.dtype == np.float32


def test_no_covariates_give_an_empty_array():
    assert encode_covariates(TABLE, {})[0].shape == (3, 0)


def test_an_unknown_column_is_named_with_the_columns_there_are():
    with pytest.raises(TableError, match=r"no column 'bclc'.*age_years, afp_ng_ml"):
        encode_covariates(TABLE, {"bclc": "linear"})


def test_an_unknown_level_names_patient_column_and_levels_found():
    with pytest.raises(TableError, match=r"P3, column child_pugh: level 'B'.*found: A, B"):
        encode_covariates(TABLE, {"child_pugh": ["A", "C"]})


def test_a_text_in_a_numeric_column_names_patient_column_and_value():
    with pytest.raises(TableError, match="P1, column child_pugh: 'A' is not a number"):
        encode_covariates(TABLE, {"child_pugh": "linear"})


def test_a_negative_value_has_no_logarithm():
    table = pd.DataFrame({"afp_ng_ml": [1.0, -2.0]}, index=["P1", "P2"])
    with pytest.raises(TableError, match="P2, column afp_ng_ml: -2 has no logarithm"):
        encode_covariates(table, {"afp_ng_ml": "log"})


@pytest.mark.parametrize("value", [1e39, -1e300, np.inf])
@pytest.mark.parametrize("kind", ["linear", "log"])
def test_a_number_beyond_all_units_is_refused_with_patient_and_column(value, kind):
    """In single precision it would be infinite, and the loss NaN."""
    table = pd.DataFrame({"afp_ng_ml": [20.0, value]}, index=["P001", "P002"])
    with pytest.raises(TableError) as caught:
        encode_covariates(table, {"afp_ng_ml": kind})
    assert f"patients.csv, patient P002, column afp_ng_ml: {value:g} is too large" in str(
        caught.value
    )

import numpy as np
import pandas as pd

from mtl_hcc.covariates.clinical_columns import clinical_columns, level_cells, levels


def test_columns_are_sorted_into_numbers_categories_and_what_is_left_out(patients):
    found = clinical_columns(patients.assign(days_to_recurrence=3.0, recurrence=1, empty=np.nan))
    assert found.numbers == ("tumor_diameter_mm", "afp_ng_ml", "age_years")
    assert found.skewed == ("afp_ng_ml",)
    assert found.categories == ("hepatitis_b", "bclc_stage")
    assert found.left_out == {"surgeon": "text with more than 10 levels", "empty": "empty"}
    assert found.said() == "Left out: surgeon (text with more than 10 levels); empty (empty)."


def test_flags_say_no_and_yes_and_levels_go_up():
    flag = pd.Series([1.0, np.nan, 0.0])
    assert levels(flag) == ["no", "yes"]
    assert level_cells(flag).tolist()[::2] == ["yes", "no"]
    assert levels(pd.Series([True, False])) == ["no", "yes"]
    assert levels(pd.Series(["B", "0", "A", None])) == ["0", "A", "B"]
    assert levels(pd.Series([2.0, 10.0, 1.0])) == ["1", "2", "10"]


def test_a_table_without_clinical_columns_has_none(bare):
    found = clinical_columns(bare)
    assert found.all == ()
    assert found.said() == ""

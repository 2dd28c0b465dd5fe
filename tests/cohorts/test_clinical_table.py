"""A cohort that is only a table: the user's columns and words become the contract's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_hcc.cohorts import ClinicalTable
from mtl_hcc.errors import TableError

Write = Callable[..., Path]
NAN = float("nan")


def test_a_contract_table_is_read_without_any_setting(write_table: Write) -> None:
    path = write_table()
    cohort = ClinicalTable().read(path)
    assert cohort.root == path
    assert cohort.patients == {}
    assert cohort.quarantine.empty
    np.testing.assert_array_equal(cohort.table["os_days"], [400, 900, 1200])


def test_a_folder_is_read_by_the_table_it_holds(write_table: Write) -> None:
    path = write_table(name="clinic.csv")
    assert ClinicalTable(table="clinic.csv").read(path.parent).root == path


def test_words_are_recoded_whatever_their_case(write_table: Write) -> None:
    path = write_table(mvi=[], invasion=["None", "micro", "MACRO"])
    source = ClinicalTable(
        columns={"mvi": "invasion"}, values={"mvi": {"none": 0, "micro": 1, "macro": None}}
    )
    cohort = source.read(path)
    assert cohort.quarantine.empty
    np.testing.assert_array_equal(cohort.table["mvi"], [0, 1, NAN])


def test_words_may_become_other_words(write_table: Write) -> None:
    source = ClinicalTable(values={"child_pugh": {"A": "A", "B": "B or C", "C": "B or C"}})
    assert source.read(write_table()).table["child_pugh"].tolist() == ["A", "B or C", "A"]


def test_a_word_that_was_forgotten_is_a_fault_of_that_row(write_table: Write) -> None:
    path = write_table(mvi=["absent", "present", "suspected"])
    cohort = ClinicalTable(values={"mvi": {"absent": 0, "present": 1}}).read(path)
    assert cohort.table.index.tolist() == ["P001", "P002"]
    assert cohort.quarantine["patient_id"].tolist() == ["P003"]
    assert "column mvi: 'suspected' is not a number" in cohort.quarantine["reason"].iloc[0]


def test_one_column_may_serve_two_purposes(write_table: Write) -> None:
    cohort = ClinicalTable(columns={"center": "child_pugh", "child_pugh": "child_pugh"}).read(
        write_table()
    )
    assert cohort.table["center"].tolist() == ["A", "B", "A"]
    assert cohort.table["child_pugh"].tolist() == ["A", "B", "A"]


def test_a_mapping_wins_over_a_column_that_has_the_contract_name(write_table: Write) -> None:
    cohort = ClinicalTable(columns={"mvi": "any"}).read(write_table(any=["1", "1", "0"]))
    np.testing.assert_array_equal(cohort.table["mvi"], [1, 1, 0])
    assert "any" not in cohort.table


def test_values_outside_their_limits_are_emptied_and_reported(write_table: Write) -> None:
    path = write_table(albumin_g_dl=["4.1", "41", "3500"], age_years=["60", "61", "620"])
    cohort = ClinicalTable(limits={"albumin_g_dl": (1, 7), "age_years": (0, 120)}).read(path)
    np.testing.assert_array_equal(cohort.table["albumin_g_dl"], [4.1, NAN, NAN])
    np.testing.assert_array_equal(cohort.table["age_years"], [60, 61, NAN])
    np.testing.assert_array_equal(cohort.table["os_days"], [400, 900, 1200])
    rows = cohort.quarantine.set_index("patient_id")["reason"]
    assert rows.index.tolist() == ["P002", "P003"]
    assert rows["P002"].startswith("kept: patients.csv, column albumin_g_dl: 41 is outside 1 to 7")
    assert "column age_years: 620 is outside 0 to 120" in rows["P003"]


def test_limits_of_labels_and_of_text_are_refused(write_table: Write) -> None:
    with pytest.raises(TableError, match=r"column os_days: limits.os_days is set.*bad_labels"):
        ClinicalTable(limits={"os_days": (1, 5000)}).read(write_table())
    with pytest.raises(TableError, match=r"column child_pugh: .* holds text"):
        ClinicalTable(limits={"child_pugh": (1, 5)}).read(write_table())


@pytest.mark.parametrize("setting", ["values", "limits"])
def test_a_setting_for_a_column_that_does_not_exist_is_named(
    write_table: Write, setting: str
) -> None:
    source = (
        ClinicalTable(values={"child_pug": {"A": 1}})
        if setting == "values"
        else ClinicalTable(limits={"child_pug": (0, 1)})
    )
    with pytest.raises(TableError, match=rf"asked for by {setting}.child_pug\).*mean child_pugh"):
        source.read(write_table())

"""A store never replaces the user's files: the table of the cohort above all."""

import shutil

import pandas as pd
import pytest
from outcome_tables import outcome_table

from mtl_hcc.cohorts.clinical_table import ClinicalTable
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.errors import StoreError
from mtl_hcc.patient import Cohort
from mtl_hcc.store.renew import renew_store
from mtl_hcc.store.store_folder import check_store_place


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "liver"
    (folder / "images" / "P1").mkdir(parents=True)
    (folder / "patients.csv").write_text("patient_id,mvi\nP1,1\nP2,9\n")
    return folder


def refusal(cohort, store, source=None):
    with pytest.raises(StoreError) as error:
        renew_store(cohort, source or NiftiFolder(), None, store, workers=1)
    return str(error.value)


def test_a_store_in_the_cohorts_own_folder_leaves_the_table_alone(cohort):
    before = (cohort / "patients.csv").read_bytes()
    for store in (cohort, cohort / "images" / ".."):
        text = refusal(cohort, store)
        assert "the store is the cohort's own folder, whose files would be replaced" in text
        assert f"e.g. {cohort.with_name('liver_prepared')}." in text
    assert (cohort / "patients.csv").read_bytes() == before
    assert sorted(path.name for path in cohort.iterdir()) == ["images", "patients.csv"]


def test_a_store_above_the_cohort_or_among_its_images_is_refused(cohort, tmp_path):
    assert f"the store's folder holds the cohort {cohort}" in refusal(cohort, tmp_path)
    for store in (cohort / "images", cohort / "images" / "P1", cohort / "images" / "store"):
        assert "the store lies among the images" in refusal(cohort, store)
    check_store_place(cohort, cohort / "prepared")
    check_store_place(tmp_path / "phantom-12", tmp_path)


def test_a_free_folder_is_named(cohort):
    cohort.with_name("liver_prepared").mkdir()
    assert "liver_prepared_2." in refusal(cohort, cohort)


def test_a_folder_with_tables_of_another_hand_is_no_store(cohort, tmp_path):
    table, store = tmp_path / "clinic.csv", tmp_path / "work"
    outcome_table(20).to_csv(table)
    store.mkdir()
    (store / "patients.csv").write_text("mine")
    text = refusal(table, store, ClinicalTable())
    assert "work: patients.csv in the folder, which is no store" in text
    assert (store / "patients.csv").read_text() == "mine"
    (store / "patients.csv").unlink()
    assert renew_store(table, ClinicalTable(), None, store, workers=1)
    outcome_table(15).to_csv(table)
    assert renew_store(table, ClinicalTable(), None, store, workers=1), "its own it renews"


def test_a_store_that_was_killed_between_its_files_is_still_a_store(tmp_path):
    table, store = tmp_path / "clinic.csv", tmp_path / "store"
    outcome_table(20).to_csv(table)
    renew_store(table, ClinicalTable(), None, store, workers=1)
    (store / "source.json").write_text("{}")
    (store / "quarantine.csv").unlink()
    assert renew_store(table, ClinicalTable(), None, store, workers=1)


def test_the_stores_own_table_is_no_cohort(tmp_path):
    table, store = tmp_path / "clinic.csv", tmp_path / "store"
    outcome_table(20).to_csv(table)
    renew_store(table, ClinicalTable(), None, store, workers=1)
    text = refusal(store / "patients.csv", store, ClinicalTable())
    assert "the store's own patients.csv is the cohort" in text


def test_a_reader_that_writes_its_cohort_into_the_store_is_refused(cohort, tmp_path):
    class Elsewhere(NiftiFolder):
        """Writes a NIfTI folder, as the DICOM reader does."""

        def read(self, root):
            copy = shutil.copytree(root, tmp_path / "nifti")
            table = pd.read_csv(copy / "patients.csv", index_col="patient_id")
            return Cohort(copy, table)

    text = refusal(cohort, tmp_path / "nifti", Elsewhere())
    assert "the store is the cohort's own folder" in text
    assert (tmp_path / "nifti" / "patients.csv").read_text() == "patient_id,mvi\nP1,1\nP2,9\n"

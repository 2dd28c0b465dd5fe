import os

import joblib
import pandas as pd
import pytest
from outcome_tables import outcome_table

from mtl_hcc.cohorts.clinical_table import ClinicalTable
from mtl_hcc.errors import CohortError, ConfigError
from mtl_hcc.store.renew import on_backend, read_table, renew_store, write_table


def renew(path, store, **settings):
    return renew_store(path, ClinicalTable(**settings), None, store, workers=1)


def test_a_table_comes_back_as_it_was_written(tmp_path):
    table = outcome_table(20)
    write_table(table, tmp_path / "patients.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "patients.csv"), table)


def test_an_unchanged_cohort_is_read_once_and_a_changed_one_again(tmp_path):
    path, store = tmp_path / "table.csv", tmp_path / "store"
    table = outcome_table(20)
    table.to_csv(path)
    assert renew(path, store)
    assert not renew(path, store)
    os.utime(path, (0, 0))  # the date alone says nothing about a table
    assert not renew(path, store)
    table.head(15).to_csv(path)
    assert renew(path, store)
    assert len(read_table(store / "patients.csv")) == 15


def test_other_settings_of_the_reader_read_again(tmp_path):
    path, store = tmp_path / "table.csv", tmp_path / "store"
    outcome_table(20).to_csv(path)
    renew(path, store)
    assert renew(path, store, missing_values=["?"])


def test_a_store_goes_on_without_its_cohort_but_not_with_another_path(tmp_path):
    path, store = tmp_path / "table.csv", tmp_path / "store"
    outcome_table(20).to_csv(path)
    renew(path, store)
    path.unlink()
    assert not renew(path, store)
    with pytest.raises(CohortError, match=r"tabel\.csv: no such file or folder"):
        renew(tmp_path / "tabel.csv", store)


def test_a_store_made_half_is_made_again(tmp_path):
    path, store = tmp_path / "table.csv", tmp_path / "store"
    outcome_table(20).to_csv(path)
    renew(path, store)
    (store / "patients.csv").unlink()
    assert renew(path, store)


def test_a_backend_of_joblib_can_be_named_and_a_wrong_one_says_so():
    with on_backend("threading"):
        assert type(joblib.Parallel(n_jobs=2)._backend).__name__ == "ThreadingBackend"
    with pytest.raises(ConfigError, match=r"data.preparing.backend.*'nowhere'"):
        on_backend("nowhere")

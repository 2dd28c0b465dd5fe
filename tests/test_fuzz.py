"""A few of the damaged tables that `fuzz_tables` and `fuzz_predictions` make by the thousand."""

import pandas as pd
import pytest
from fuzz_predictions import fuzz as fuzz_predictions
from fuzz_tables import fuzz as fuzz_tables

from mtl_hcc.cohorts import label_checks
from mtl_hcc.metrics import predictions as contract

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def test_damaged_tables_of_patients_are_read_or_refused_with_a_place(tmp_path):
    tried = list(fuzz_tables(range(120), tmp_path))
    assert [one for one in tried if one.fault] == []
    ends = pd.Series([one.code for one in tried]).value_counts()
    assert ends.min() > 30, "both ends are tried"


@pytest.mark.slow
def test_damaged_predictions_give_values_or_reasons_or_a_message(tmp_path):
    tried = list(fuzz_predictions(range(60), tmp_path))
    assert [one for one in tried if one.fault] == []
    ends = pd.Series([one.code for one in tried]).value_counts()
    assert ends.min() > 12, "both ends are tried"


def test_the_fuzz_would_see_a_check_that_is_gone(tmp_path, monkeypatch):
    """Without its checks the software fails on some of the same tables."""
    monkeypatch.setattr(label_checks, "_survival_fault", lambda *cells: "")
    assert any(one.fault for one in fuzz_tables(range(60), tmp_path / "tables"))
    for check in ("check_values", "check_tasks", "check_rows"):
        monkeypatch.setattr(contract, check, lambda *given: None)
    assert any(one.fault for one in fuzz_predictions(range(15), tmp_path / "predictions"))

"""Texts that a spreadsheet would run: defused in files that we write, restored when read."""

import io

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.reporting.run_folder import read_csv
from mtl_hcc.runs.results import _write
from mtl_hcc.spreadsheet_cells import csv_bytes, restored, runs_as_formula, unusable_name

ATTACKS = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil")',
    "+cmd|x",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "-ve",
]
HARMLESS = ["-1.5", "+3", "+", "--", "+++", "-1e-5", "-0.06 (-0.10 to 0.02)", "a=b", "", "'a'"]


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_are_known_and_no_name(text):
    assert runs_as_formula(text)
    assert "formula" in unusable_name(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_intervals_and_signs_stay(text):
    assert not runs_as_formula(text)
    assert unusable_name(text) == ""


def test_control_characters_are_no_name():
    assert "control character" in unusable_name("II\x1b[31m")
    assert "control character" in unusable_name("a\tb")


def test_every_text_comes_back_as_it_was_and_no_cell_runs():
    texts = [*ATTACKS, *HARMLESS, "'=quoted already", "''=twice", "'", None]
    table = pd.DataFrame({"text": texts, "=heading": texts, "number": np.arange(len(texts)) - 5.5})
    content = csv_bytes(table)
    raw = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    cells = [*raw.columns, *raw["text"], *raw.iloc[:, 1]]
    assert [cell for cell in cells if runs_as_formula(cell)] == []
    assert raw["number"].iloc[0] == "-5.5", "a number is a number"
    again = restored(pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""]))
    assert list(again) == list(table)
    expected = table.replace({"\r=1+1": "\n=1+1"}).fillna("")
    pd.testing.assert_frame_equal(again.fillna(""), expected, check_dtype=False)


def test_a_runs_patients_come_back_with_their_texts(tmp_path):
    table = pd.DataFrame({"patient_id": ["P1", "P2"], "center": "I", "note": ["=1+1", "-ve"]})
    _write(table, tmp_path / "patients.csv")
    assert b"'=1+1" in (tmp_path / "patients.csv").read_bytes()
    pd.testing.assert_frame_equal(read_csv(tmp_path / "patients.csv"), table, check_dtype=False)

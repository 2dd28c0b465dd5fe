"""``report --patients``: a table that contradicts the predictions is refused, by patient."""

import pandas as pd
import pytest
from made_runs import write_run
from tiny_runs import call

from mtl_hcc import report
from mtl_hcc.reporting import report_processes


@pytest.fixture
def run(tmp_path, monkeypatch):
    for name in ("FIGURES", "TABLES"):
        monkeypatch.setattr(
            report_processes, name, {"cohort_flow": getattr(report_processes, name)["cohort_flow"]}
        )
    return write_run(tmp_path / "made")


def reported(run, patients, tmp_path):
    patients.to_csv(tmp_path / "clinic.csv", index=False)
    files = ["--predictions", run / "predictions.csv", "--patients", tmp_path / "clinic.csv"]
    place = ["--output", tmp_path / "out", "--bootstraps", "0", "--workers", "1"]
    return call(report.main, *files, *place)


def patients_of(run):
    return pd.read_csv(run / "patients.csv", dtype={"patient_id": str})


CONTRADICTIONS = {
    "os_event": (lambda cells: 1 - cells, "event"),
    "os_days": (lambda cells: cells + 30, "time_days"),
    "mvi": (lambda cells: 1 - cells, "label"),
}


@pytest.mark.parametrize("column", CONTRADICTIONS)
def test_other_outcomes_than_the_predictions_are_refused(run, tmp_path, column):
    change, outcome = CONTRADICTIONS[column]
    patients = patients_of(run)
    place = [7, 9]
    patients[column] = patients[column].astype(float)
    patients.loc[place, column] = change(patients.loc[place, column])
    done = reported(run, patients, tmp_path)
    assert done.code == 2, done.out
    told = patients.loc[7, column]
    said = f"clinic.csv, patient P007, column {column}: {told:g}, but the predictions of "
    assert said in done.err
    assert f"say {outcome} " in done.err
    assert "(and 1 more patients)" in done.err
    assert "Find out which is right" in done.err
    assert not (tmp_path / "out").exists()


def test_a_patient_twice_is_refused_with_the_lines(run, tmp_path):
    patients = patients_of(run)
    done = reported(run, pd.concat([patients, patients.iloc[[3]]]), tmp_path)
    assert done.code == 2
    assert "clinic.csv, lines 5, 122, column patient_id: patient P003 2 times" in done.err


def test_an_outcome_in_words_is_refused(run, tmp_path):
    patients = patients_of(run).astype({"os_event": object})
    patients.loc[4, "os_event"] = "dead"
    done = reported(run, patients, tmp_path)
    assert done.code == 2
    assert "line 6, patient P004, column os_event: 'dead'. Expected a number" in done.err


def test_patients_without_a_row_and_other_centers_are_said_here_and_on_the_page(run, tmp_path):
    patients = patients_of(run).iloc[5:]
    patients.loc[20, "center"] = "elsewhere"
    patients.loc[30, ["os_days", "os_event"]] = None  # not known here: contradicts nothing
    done = reported(run, patients, tmp_path)
    assert done.code == 0, done.err
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for said in (
        "5 of 120 patients with predictions are not in clinic.csv (first P000)",
        "1 patients have another center in clinic.csv than in the predictions (first P020",
    ):
        assert f"remark: {said}" in done.out
        assert page.count(f"The input looks odd: {said}") == 2, "beside the results, in the limits"


def test_the_same_table_gets_no_remark(run, tmp_path):
    done = reported(run, patients_of(run), tmp_path)
    assert done.code == 0, done.err
    assert "remark" not in done.out


def test_months_and_misnamed_splits_stand_on_the_page(run, tmp_path):
    table = pd.read_csv(run / "predictions.csv")
    table["time_days"] /= 30.4375
    table = table.replace({"split": {"train": "TRAIN"}})
    table.to_csv(tmp_path / "predictions.csv", index=False)
    place = ["--output", tmp_path / "out", "--bootstraps", "0", "--workers", "1"]
    done = call(report.main, "--predictions", tmp_path / "predictions.csv", *place)
    assert done.code == 0, done.err
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for said in ("are these months?", "split &#39;TRAIN&#39; (60 patients) is not train"):
        assert said in page
    assert "are these months?" in done.out

"""The limits that a page states depend on the study."""

from dataclasses import replace

import pytest
from made_runs import write_run

from mtl_hcc.reporting.limits import ALWAYS, limits
from mtl_hcc.reporting.report_folder import with_patients
from mtl_hcc.reporting.run_folder import read_runs


@pytest.fixture
def study(tmp_path):
    return with_patients(read_runs([write_run(tmp_path / "made")]))


def test_what_always_holds_comes_last(study):
    assert tuple(limits(study)[-len(ALWAYS) :]) == ALWAYS


def test_few_events_are_counted(study):
    patients = study.tables["patients"]
    events = int(patients.loc[patients["split"] == "external", "os_event"].sum())
    (sentence,) = [text for text in limits(study) if text.startswith("Few events")]
    assert f"{events} OS events in external" in sentence


def test_a_phantom_and_a_study_without_external_patients_say_so(study):
    patients = study.tables["patients"].replace({"split": {"external": "validation"}})
    config = {"data": {"cohort": None}}
    said = limits(replace(study, config=config, tables={**study.tables, "patients": patients}))
    assert said[0].startswith("These patients are simulated")
    assert any(text.startswith("No external patients") for text in said)
    assert any("the values are too good" in text for text in said)


def test_an_unknown_selection_is_a_limit(study):
    said = limits(replace(study, missing={"quarantine": "there is none"}))
    assert any("selection cannot be judged" in text for text in said)

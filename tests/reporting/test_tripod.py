"""The checklist is complete, and says nothing that the run does not know."""

import re
from dataclasses import replace

import pytest
from made_runs import write_run

from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.reporting.given_predictions import read_files
from mtl_hcc.reporting.report_folder import with_patients
from mtl_hcc.reporting.run_folder import read_runs
from mtl_hcc.reporting.tripod import tripod_ai

SETTINGS = {"bootstraps": 0, "seed": 0, "threshold": "youden"}


def with_metrics(study):
    study = with_patients(study)
    metrics = evaluate_predictions(study.predictions, **SETTINGS)
    return replace(study, tables={**study.tables, "metrics": metrics})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("tripod") / "made")


@pytest.fixture(scope="module")
def checklist(run):
    return tripod_ai(with_metrics(read_runs([run])), SETTINGS).set_index("Item")


def test_the_27_items_with_their_52_parts_are_there_in_order(checklist):
    numbers = [int(re.sub(r"\D", "", item)) for item in checklist.index]
    assert sorted(set(numbers)) == list(range(1, 28))
    assert numbers == sorted(numbers)
    assert len(checklist) == 52
    assert checklist.index.is_unique


def test_answers_are_numbers_of_this_run(checklist):
    assert "123 screened, 3 left out; 120 patients analyzed" in checklist.loc["20a", "Answer"]
    assert "train: 60 patients" in checklist.loc["21", "Answer"]
    assert "youden (on the train rows)" in checklist.loc["15", "Answer"]
    assert "arterial, delayed" in checklist.loc["9a", "Answer"]
    assert "Split by SplitByColumn" in checklist.loc["12a", "Answer"]
    assert "at once: tumor: DenseNet; heads" in checklist.loc["12c", "Answer"]


def test_what_no_software_can_know_is_left_to_the_authors(checklist):
    for item in ("1", "3b", "6b", "10", "17", "18a", "18d", "19", "25"):
        assert checklist.loc[item, "Answered by"] == "authors"
        assert checklist.loc[item, "Answer"] == "To be written by the authors."


def test_an_answer_in_part_asks_the_authors_to_complete_it(checklist):
    part = checklist[checklist["Answered by"] == "run and authors"]
    assert len(part) >= 10
    assert part["Answer"].str.endswith("The authors complete this.").all()


def test_without_a_run_nothing_is_claimed_of_training(run):
    study = with_metrics(read_files([run / "predictions.csv"], None))
    table = tripod_ai(study, SETTINGS).set_index("Item")
    for item in ("7", "11", "12a", "12b", "12c", "12g", "13", "20b", "22", "27a"):
        assert table.loc[item, "Answered by"] == "authors", item
    assert "screened" not in table.loc["20a", "Answer"]

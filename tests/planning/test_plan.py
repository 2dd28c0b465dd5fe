"""`python -m mtl_hcc.plan` as a user meets it: the file, the table, what it refuses."""

import re

import pandas as pd
import pytest
import yaml
from planned_cohort import MEASURED, UNREADABLE
from tiny_runs import QUIET, call

from mtl_hcc import fit, plan
from mtl_hcc.planning.yaml_lines import YamlLines, inline

BRIEF = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--bootstraps", "20"]


@pytest.fixture(scope="module")
def planned(liver_cohort, tmp_path_factory):
    """Return the finished command on the small cohort, and its config."""
    output = tmp_path_factory.mktemp("planned") / "mine.yaml"
    done = call(
        plan.main,
        "--cohort",
        liver_cohort,
        "--output",
        output,
        "--images",
        MEASURED,
        "--workers",
        1,
    )
    assert done.code == 0, done.err
    return done, output


def test_the_config_says_what_was_measured_and_why(planned):
    _, output = planned
    text = output.read_text()
    config = yaml.safe_load(text)
    view = config["data"]["preparation"]["views"]["tumor"]
    assert view["phases"] == ["arterial", "portal_venous"]
    assert view["spacing_mm"] == 2.0
    assert view["field_of_view_mm"] == 64.0
    assert view["stored_field_mm"] == 112.0
    assert view["intensity"]["class_path"] == "Window"
    assert config["data"]["endpoints"] == list(config["model"]["heads"]) == ["os", "mvi"]
    assert config["model"]["risk_bank"] == {"endpoints": ["os"], "capacity": 22}
    assert config["baselines"] == {
        "AFP": {"afp_ng_ml": "log"}, "BCLC": {"bclc_stage": ["A", "B"]}
    }  # fmt: skip
    said = " ".join(line.strip(" #") for line in text.splitlines() if line.strip().startswith("#"))
    assert "Refused: rfs, 3 events in the training split, 10 are needed." in said
    assert "5 of 22 training patients were measured" in said
    assert UNREADABLE in said
    assert "only labels, phases and columns were counted" in said
    assert max(map(len, text.splitlines())) <= 160


def test_the_table_tells_what_was_found_and_the_next_command(planned):
    done, output = planned
    assert f"Next: python -m mtl_hcc.fit --config {output}" in done.out
    assert "rfs is refused: 3 events" in done.out
    assert "1 patients lack one of the phases" in done.out
    assert re.search(rf"not measured: .*{UNREADABLE}.*arterial", done.out)


@pytest.mark.slow
def test_the_config_of_a_cohort_with_images_trains(planned, tmp_path):
    _, output = planned
    places = ["--run", tmp_path / "run", "--data.store", tmp_path / "store"]
    bright = ["--data.preparation.plausibility", "remark", "--strong_baselines", "false"]
    workers = ["--data.preparing.workers", "1"]
    done = call(fit.main, "--config", output, *places, *workers, *bright, *BRIEF, *QUIET)
    assert done.code == 0, done.err
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert {"os", "mvi"} <= set(metrics["task"])


@pytest.mark.slow
def test_the_config_of_a_clinical_table_trains(clinical_tables, tmp_path):
    output, table = tmp_path / "tcga.yaml", clinical_tables / "tcga_lihc" / "clinical.csv"
    flags = ["--cohort", table, "--output", output]
    done = call(plan.main, *flags, "--source", "TcgaLihc")
    assert done.code == 0, done.err
    config = yaml.safe_load(output.read_text())
    assert config["data"]["split"]["class_path"] == "KFold"
    assert config["data"]["source"] == "TcgaLihc"
    assert "preparation" not in config["data"]
    assert not {"residual_tumor", "vascular_invasion", "stage"} & set(config["data"]["covariates"])
    assert "139" not in output.read_text(), "remarks are not patients left out"
    places = ["--run", tmp_path / "run", "--data.store", tmp_path / "store"]
    done = call(fit.main, "--config", output, *places, *BRIEF, *QUIET)
    assert done.code == 0, done.err


def clinical(folder, patients, **columns):
    """Write a table with as many deaths as patients who live on."""
    number = range(patients)
    table = pd.DataFrame(
        {
            "patient_id": [f"P{n}" for n in number],
            "center": ["A"] * patients,
            "os_days": [100 + n for n in number],
            "os_event": [n % 2 for n in number],
        }
    )
    path = folder / "table.csv"
    table.assign(**columns).to_csv(path, index=False)
    return path


def test_an_external_center_is_written_into_a_file_of_splits(tmp_path):
    table = clinical(tmp_path, 400, center=["A"] * 300 + ["B: 2"] * 100, age_years=range(400))
    output = tmp_path / "mine.yaml"
    done = call(plan.main, "--cohort", table, "--output", output)
    assert done.code == 0, done.err
    splits = pd.read_csv(tmp_path / "mine_splits.csv", comment="#")
    assert splits["split"].value_counts().to_dict() == {
        "train": 225, "external": 100, "validation": 75
    }  # fmt: skip
    setting = yaml.safe_load(output.read_text())["data"]["split"]
    assert setting == {
        "class_path": "SplitFile", "init_args": {"path": str(tmp_path / "mine_splits.csv")}
    }  # fmt: skip
    assert "B: 2 (100 patients, os 50)" in " ".join(output.read_text().split())


def test_folds_hold_out_an_external_center_by_its_name(tmp_path):
    table = clinical(tmp_path, 120, center=["1"] * 80 + ["B: 2"] * 40, age_years=range(120))
    output = tmp_path / "mine.yaml"
    done = call(plan.main, "--cohort", table, "--output", output)
    assert done.code == 0, done.err
    setting = yaml.safe_load(output.read_text())["data"]["split"]
    assert setting["class_path"] == "KFold"
    assert setting["init_args"]["hold_out"] == ["B: 2"]
    assert "B: 2 (40 patients, os 20)" in " ".join(output.read_text().split())
    assert "external 40" in " ".join(done.out.split())


def test_a_config_that_is_there_stays_unless_it_may_be_replaced(tmp_path):
    table, output = clinical(tmp_path, 60), tmp_path / "mine.yaml"
    output.write_text("mine")
    refused = call(plan.main, "--cohort", table, "--output", output)
    assert refused.code == 2
    assert "is there already" in refused.err
    assert "add --overwrite" in refused.err
    assert output.read_text() == "mine"
    done = call(plan.main, "--cohort", table, "--output", output, "--overwrite")
    assert done.code == 2, "without a clinical column there is nothing to train on"
    assert output.read_text() == "mine"


def test_a_table_is_not_taken_for_the_config(tmp_path):
    table = clinical(tmp_path, 60)
    refused = call(plan.main, "--cohort", table, "--output", table, "--overwrite")
    assert refused.code == 2
    assert "ending with .yaml" in refused.err


def test_too_few_events_end_with_the_number_and_no_file(tmp_path):
    table = clinical(tmp_path, 20, age_years=range(20))
    refused = call(plan.main, "--cohort", table, "--output", tmp_path / "mine.yaml")
    assert refused.code == 2
    assert "os: 6 events in the training split, 10 are needed" in refused.err
    assert not (tmp_path / "mine.yaml").exists()


def test_lines_keep_names_that_yaml_would_read_otherwise():
    lines = YamlLines()
    lines.say("a name\nwith a break " * 20, level=1)
    lines.add("no", ["0", "yes", "A: b", "1.0"], "why")
    assert yaml.safe_load(lines.text()) == {"no": ["0", "yes", "A: b", "1.0"]}
    assert max(map(len, lines.text().splitlines())) <= 100
    assert inline({"low": -50.0}) == "{low: -50.0}"

"""What is taken from a run folder, and the messages when it is not one."""

import shutil

import pandas as pd
import pytest
import yaml
from made_runs import write_run

from mtl_hcc.errors import ConfigError, PredictionsError, RunError
from mtl_hcc.reporting.given_predictions import read_files
from mtl_hcc.reporting.report_folder import with_patients
from mtl_hcc.reporting.run_folder import read_runs, unique_names


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "made")


def test_a_finished_run_gives_all_its_tables(run):
    study = read_runs([run])
    assert set(study.tables) == {"predictions", "models", "patients", "quarantine", "history"}
    assert study.missing == {}
    assert list(study.predictions["model"].unique()) == ["network", "AFP", "oracle"]
    assert study.versions == {"python": "3.12.1", "mtl_hcc": "0.1.0", "torch": "2.13.0"}
    assert study.setting("bootstraps", 1000, None) == 20
    assert study.setting("bootstraps", 1000, 0) == 0


def test_runs_on_different_versions_of_the_phantom_are_not_compared(run, tmp_path):
    def on_phantom(run, phantom):
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["data"] |= {"cohort": None, "phantom": phantom}
        (run / "config.yaml").write_text(yaml.safe_dump(config))

    other = write_run(tmp_path / "other")
    on_phantom(run, {"patients": {"I": 96}, "version": 4})
    on_phantom(other, {"patients": {"I": 96}, "version": 4})
    assert read_runs([run, other]).networks == ("made", "other")
    on_phantom(other, {"patients": {"I": 96}})
    with pytest.raises(RunError, match=r"versions of the phantom: .*4\), .*version 3 or earlier"):
        read_runs([run, other])


def test_an_older_run_takes_patients_and_quarantine_from_its_store(run, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    for name in ("patients.csv", "quarantine.csv"):
        shutil.move(run / name, store / name)
    config = (run / "config.yaml").read_text().replace("/home/somebody/prepared/secret", str(store))
    (run / "config.yaml").write_text(config)
    assert set(read_runs([run]).tables) >= {"patients", "quarantine"}


def test_without_store_it_is_said_what_is_missing_and_how_to_get_it(run):
    for name in ("patients.csv", "quarantine.csv", "history.csv"):
        (run / name).unlink()
    study = with_patients(read_runs([run]))
    assert set(study.missing) == {"patients", "quarantine", "history"}
    assert "copy quarantine.csv from the prepared store" in study.missing["quarantine"]
    patients = study.tables["patients"]
    assert len(patients) == 120, "what the predictions know of them"
    assert {"os_days", "os_event", "rfs_days", "mvi", "split", "center"} <= set(patients)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda run: shutil.rmtree(run), "no such folder.*--predictions FILE.csv"),
        (lambda run: (run / "predictions.csv").unlink(), "no predictions.csv. Expected the run"),
        (lambda run: (run / "config.yaml").write_text("a: [1"), "config.yaml: it is damaged"),
        (lambda run: (run / "config.yaml").write_bytes(b"\xff\xfe\x00"), "it is damaged"),
        (lambda run: (run / "history.csv").write_bytes(b""), "history.csv: cannot be read"),
        (lambda run: (run / "patients.csv").write_text('a,"b\n1,2'), "patients.csv: cannot be"),
        (lambda run: (run / "patients.csv").write_text("a,b\n1,2"), "no column patient_id"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_message(run, break_it, message):
    break_it(run)
    with pytest.raises(RunError, match=message):
        read_runs([run])


def test_a_run_that_still_trains_is_told_from_one_that_is_none(run):
    (run / "predictions.csv").unlink()
    (run / "fold_1" / "checkpoints").mkdir(parents=True)
    (run / "fold_1" / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(RunError, match=r"the training has not ended.*--ckpt_path last"):
        read_runs([run])


def test_damaged_predictions_name_file_and_line(run):
    text = (run / "predictions.csv").read_text().replace(",0,os,", ",0,os,x", 1)
    (run / "predictions.csv").write_text(text)
    with pytest.raises(PredictionsError, match=r"predictions.csv, line 2, patient P000.*risk"):
        read_runs([run])


def test_runs_of_one_name_are_told_apart_by_the_folder_above(tmp_path):
    assert unique_names([tmp_path / "a" / "run", tmp_path / "b" / "run"]) == ["a/run", "b/run"]
    with pytest.raises(RunError, match="twice"):
        unique_names([tmp_path / "run", tmp_path / "run"])


def test_names_have_to_be_as_many_as_the_runs(run):
    with pytest.raises(ConfigError, match="1 names that differ"):
        read_runs([run], names=["one", "two"])


def test_an_ablation_study_without_a_run_of_its_own_shows_its_full_design(run, tmp_path):
    study = tmp_path / "study"
    (study / "ablation").mkdir(parents=True)
    shutil.move(run, study / "ablation" / "full_seed0")
    pd.DataFrame({"variant": ["full"], "seed": ["all"]}).to_csv(study / "ablation.csv")
    read = read_runs([study])
    assert len(read.tables["ablation"]) == 1
    assert read.name == "study"
    assert len(read.tables["patients"]) == 120


def test_predictions_of_anybody_need_no_run(run):
    files = [run / "predictions.csv", run / "baselines.csv"]
    study = with_patients(read_files(files, run / "patients.csv"))
    assert study.name == "made"
    assert study.networks == ("made",)
    assert "nobody knows who was left out" in study.missing["quarantine"]
    assert "age_years" in study.tables["patients"]


def test_patients_without_a_prediction_are_counted_as_left_out(run):
    predictions = pd.read_csv(run / "predictions.csv")
    left = predictions[predictions["patient_id"] != "P119"]
    left.to_csv(run / "predictions.csv", index=False)
    study = with_patients(read_files([run / "predictions.csv"], run / "patients.csv"))
    assert len(study.tables["patients"]) == 119
    (row,) = study.tables["quarantine"].itertuples()
    assert (row.patient_id, row.step, row.reason) == ("P119", "predict", "no prediction")


def test_a_table_of_other_patients_is_refused(run, tmp_path):
    (tmp_path / "other.csv").write_text("patient_id,age_years\nX,1\n")
    with pytest.raises(Exception, match="none of its 1 patients has a prediction"):
        read_files([run / "predictions.csv"], tmp_path / "other.csv")

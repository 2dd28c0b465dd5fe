"""A run's own splits: what it trains by, and what it goes on with after a kill, or not at all."""

from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import Finished, call
from tiny_training import tiny_config

from mtl_hcc import fit


def run(folder: Path, name: str, *flags: str) -> Finished:
    """Train for one epoch on the tiny clinical cohort in ``folder``."""
    tiny_config(folder)  # writes config.yaml, and the cohort where there is none
    brief = ["--trainer.max_epochs", "1", "--bootstraps", "0", "--run", str(folder / name)]
    return call(fit.main, "--config", folder / "config.yaml", *brief, *flags)


def move(folder: Path, patient: str, split: str) -> None:
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    table.loc[table["patient_id"] == patient, "split"] = split
    table.to_csv(folder / "cohort.csv", index=False)


def split_of(folder: Path, name: str, patient: str) -> str:
    rows = pd.read_csv(folder / name / "predictions.csv", dtype=str)
    (split,) = set(rows.loc[rows["patient_id"] == patient, "split"])
    return str(split)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``first`` was trained."""
    folder = tmp_path_factory.mktemp("runs")
    done = run(folder, "first")
    assert done.code == 0, done.err
    assert split_of(folder, "first", "P003") == "train"
    splits = pd.read_csv(folder / "first" / "splits.csv", comment="#")
    assert splits.set_index("patient_id")["split"]["P003"] == "train"
    return folder


def test_a_patient_moved_to_external_trains_no_more_and_a_kill_does_not_bring_it_back(trained):
    before = (trained / "first" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    move(trained, "P003", "external")
    refused = run(trained, "first", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert refused.code == 2
    assert "Traceback" not in refused.err
    for part in (
        f"{trained / 'first' / 'splits.csv'}: the splits changed since the run began",
        "1 patient is in another split: P003 (train -> external)",
        "train a new run (leave out --ckpt_path)",
    ):
        assert part in refused.err
    assert (trained / "first" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    again = run(trained, "second")
    assert again.code == 0, again.err
    assert split_of(trained, "second", "P003") == "external"
    move(trained, "P003", "train")
    back = run(trained, "first", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert back.code == 0, back.err
    assert "1 patient is in another split: P003 (external -> train)" in back.out


def test_two_runs_with_other_splits_share_a_store_and_each_keeps_its_own(trained):
    for name, flags in {
        "folds": ["--data.split", "KFold", "--data.split.folds", "2"],
        "chance": ["--data.split", "RandomSplit"],
    }.items():
        done = run(trained, name, *flags)
        assert done.code == 0, done.err
    again = run(
        trained, "folds", "--data.split", "KFold", "--data.split.folds", "2", "--ckpt_path", "last"
    )
    assert again.code == 0, again.err
    splits = pd.read_csv(trained / "folds" / "splits.csv", comment="#")
    assert set(splits["fold"]) == {0, 1}
    predictions = pd.read_csv(trained / "folds" / "predictions.csv")
    assert set(predictions["fold"]) == {0, 1}


def test_each_center_is_left_out_once_and_a_held_out_one_is_predicted_by_every_fold(tmp_path):
    done = run(tmp_path, "centers", "--data.split", "LeaveCenterOut")
    assert done.code == 0, done.err
    rows = pd.read_csv(tmp_path / "centers" / "predictions.csv").query("task == 'os'")
    tested = rows[rows["split"] == "test"]
    assert tested.groupby("fold")["center"].agg(set).to_dict() == {0: {"I"}, 1: {"II"}}
    flags = ["--data.split", "KFold", "--data.split.folds", "2", "--data.split.hold_out", "[II]"]
    done = run(tmp_path, "held", *flags)
    assert done.code == 0, done.err
    rows = pd.read_csv(tmp_path / "held" / "predictions.csv").query("task == 'os'")
    external = rows[rows["split"] == "external"]
    assert set(external["center"]) == {"II"}
    assert "II" not in set(rows.loc[rows["split"] != "external", "center"])
    assert external.groupby("patient_id")["fold"].agg(list).map(len).eq(2).all()
    metrics = pd.read_csv(tmp_path / "held" / "metrics.csv")
    assert (metrics["split"] == "external").any()


def test_a_fold_that_cannot_be_trained_stops_the_run_before_the_folds_that_can(tmp_path):
    tiny_config(tmp_path)
    table = pd.read_csv(tmp_path / "cohort.csv")
    table["mvi"] = (table["center"] == "II").astype(float)  # without II nobody is positive
    table.to_csv(tmp_path / "cohort.csv", index=False)
    done = run(tmp_path, "centers", "--data.split", "LeaveCenterOut")
    assert done.code == 2
    assert "column mvi, fold 0: only class 1" in done.err
    table["mvi"] = (table["center"] == "I").astype(float)
    table.loc[table["center"] == "II", "mvi"] = [0.0, 1.0] * 10
    table.to_csv(tmp_path / "cohort.csv", index=False)
    done = run(tmp_path, "centers", "--data.split", "LeaveCenterOut")
    assert done.code == 2
    assert "column mvi, fold 1: only class 1" in done.err
    assert not (tmp_path / "centers").exists()

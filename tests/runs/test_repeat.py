"""`fit --repeat never`: trained once, gone on with after a kill, not taken for another run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_runs import Finished, call
from tiny_study import PowerCutError, clinical_flags

from mtl_hcc import fit
from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.runs.run_record import RECORD
from mtl_hcc.training.module import MultiTaskModule

DONE = "This run finished before, with these settings and data: nothing is left to do."
KILL_SCRIPT = """
import os, signal, sys
from mtl_hcc import fit
from mtl_hcc.training.module import MultiTaskModule
real_step = MultiTaskModule.training_step
def step(module, batch, batch_idx):
    if (module.current_epoch, batch_idx) == (2, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return real_step(module, batch, batch_idx)
MultiTaskModule.training_step = step
fit.main(sys.argv[1:])
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Return the flags of a clinical run into ``run``."""
    return clinical_flags(tmp_path, "--trainer.max_epochs", "4", "--repeat", "never")


def trained(*flags: str) -> Finished:
    done = call(fit.main, *flags)
    assert done.code == 0, done.err
    return done


def cut(monkeypatch: pytest.MonkeyPatch, flags: list[str], when: tuple[int, int]) -> None:
    """Train and end with an error at some epoch and batch."""
    real_step = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: Any, batch_idx: int) -> Any:
        if (module.current_epoch, batch_idx) == when:
            raise PowerCutError
        return real_step(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        with pytest.raises(PowerCutError):
            fit.main(flags)


def history(run: Path) -> pd.DataFrame:
    table = pd.read_csv(run / "history.csv")
    return table[[name for name in table if not name.startswith("system/")]]


def written(run: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def test_a_finished_run_is_left_as_it_is_says_so_and_gives_its_metrics(command, tmp_path):
    assert DONE not in trained(*command).out
    before = written(tmp_path / "run")
    done = trained(*command)
    assert DONE in done.out
    assert str(tmp_path / "run" / "metrics.csv") in done.out
    assert written(tmp_path / "run") == before
    parser = build_parser("")
    found = fit.fit(parser, read_config(parser, command))
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "run" / "metrics.csv"))
    # Where and how fast is no other run, and neither is its own complete config.
    assert DONE in trained(*command, "--data.loading.cache", "false", "--wandb_group", "mine").out
    own = ["--config", str(tmp_path / "run" / "config.yaml"), "--repeat", "never"]
    assert DONE in trained(*own).out


def test_by_default_a_command_that_is_repeated_trains_again(command, tmp_path):
    trained(*command)
    done = trained(*command, "--repeat", "always")
    assert f"The earlier run was moved to {tmp_path / 'run_1'}" in done.out
    assert (tmp_path / "run_1" / "metrics.csv").is_file()


def test_a_killed_process_leaves_a_run_that_goes_on_as_if_nothing_had_happened(command, tmp_path):
    """Killed for good: the whole process, at once, amid an epoch."""
    killed = subprocess.run(
        [sys.executable, "-c", KILL_SCRIPT, *command],
        env={**os.environ, "PYTHONPATH": str(Path(fit.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert history(tmp_path / "run")["epoch"].tolist() == [0, 1]
    done = trained(*command)
    assert f"{tmp_path / 'run'} was begun with these settings and data: it goes on." in done.out
    assert DONE in trained(*command).out
    trained(*command, "--run", str(tmp_path / "whole"))
    found, whole = history(tmp_path / "run"), history(tmp_path / "whole")
    assert found["epoch"].tolist() == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-7)
    found, whole = (
        pd.read_csv(tmp_path / run / "predictions.csv").select_dtypes("number")
        for run in ("run", "whole")
    )
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-7)


def test_a_run_cut_in_its_first_epoch_starts_anew(command, monkeypatch):
    cut(monkeypatch, command, (0, 2))
    assert "goes on" not in trained(*command).out
    assert DONE in trained(*command).out


def test_half_a_checkpoint_starts_the_run_anew(command, monkeypatch, tmp_path):
    cut(monkeypatch, command, (2, 0))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    done = trained(*command)
    assert "Starting anew: " in done.out
    assert "The earlier run was moved to" in done.out
    assert history(tmp_path / "run")["epoch"].tolist() == [0, 1, 2, 3]


def test_other_settings_train_the_run_anew_and_keep_the_old_one_aside(
    command, monkeypatch, tmp_path
):
    cut(monkeypatch, command, (2, 0))
    other = [*command, "--model.learning_rate", "0.5"]
    done = trained(*other)
    assert f"{tmp_path / 'run'} was trained with other settings or data" in done.out
    assert (tmp_path / "run_1" / "history.csv").is_file()
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["config"]["model"]["learning_rate"] == 0.5
    assert DONE in trained(*other).out
    assert DONE not in trained(*command).out


def test_other_labels_train_the_run_anew(command, tmp_path):
    trained(*command)
    table = pd.read_csv(tmp_path / "cohort.csv", dtype=str, keep_default_na=False)
    table.loc[0, "rfs_event"] = "0.0"
    table.to_csv(tmp_path / "cohort.csv", index=False)
    assert "other settings or data" in trained(*command).out


@pytest.mark.parametrize("flags", [["--model.learning_rate", "0.5"], ["--trainer.max_epochs", "5"]])
def test_a_run_that_went_on_with_other_settings_is_not_taken_for_a_run_of_them(
    flags, command, monkeypatch, tmp_path
):
    cut(monkeypatch, command, (2, 0))
    trained(*command, *flags, "--repeat", "always", "--ckpt_path", "last")
    assert "other settings or data" in trained(*command, *flags).out
    assert (tmp_path / "run_1").is_dir()


def test_a_run_that_began_from_somebody_s_checkpoint_is_not_one_that_began_alone(command, tmp_path):
    trained(*command)
    weights = str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    tuned = [*command, "--run", str(tmp_path / "tuned"), "--trainer.max_epochs", "5"]
    trained(*tuned, "--ckpt_path", weights)
    assert "other settings or data" in trained(*tuned).out


def test_other_resamples_or_baselines_are_computed_without_training(command, tmp_path):
    trained(*command)
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    before = best.stat().st_mtime_ns
    more = [*command, "--bootstraps", "20", "--baselines", "{Age: {age_years: linear}}"]
    assert "it goes on" in trained(*more).out
    assert best.stat().st_mtime_ns == before
    assert history(tmp_path / "run")["epoch"].tolist() == [0, 1, 2, 3]
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert set(metrics["model"]) == {"network", "Age"}
    assert DONE in trained(*more).out


@pytest.mark.parametrize("name", ["predictions.csv", "metrics.csv"])
def test_lost_results_are_made_again(name, command, tmp_path):
    trained(*command)
    content = (tmp_path / "run" / name).read_bytes()
    (tmp_path / "run" / name).unlink()
    assert "it goes on" in trained(*command).out
    assert (tmp_path / "run" / name).read_bytes() == content


@pytest.mark.parametrize("content", ['{"finger', "5", "[]", '{"fingerprint": "x"}'])
def test_a_damaged_record_counts_as_none(content, command, tmp_path):
    trained(*command)
    (tmp_path / "run" / RECORD).write_text(content)
    assert "The earlier run was moved to" in trained(*command).out

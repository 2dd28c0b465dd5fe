"""The process of one run: finished, half-finished, changed or busy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_runs import call
from tiny_study import PowerCutError

from mtl_hcc.ablation import one_run
from mtl_hcc.ablation.plan import Plan
from mtl_hcc.ablation.planned_run import PlannedRun, read_record
from mtl_hcc.runs.run_claim import run_lock
from mtl_hcc.training.module import MultiTaskModule

EPOCHS = ["--trainer.max_epochs", "4"]
KILL_SCRIPT = """
import os, signal, sys
from mtl_hcc.ablation import one_run
from mtl_hcc.training.module import MultiTaskModule
real_step = MultiTaskModule.training_step
def step(module, batch, batch_idx):
    if (module.current_epoch, batch_idx) == (2, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return real_step(module, batch, batch_idx)
MultiTaskModule.training_step = step
one_run.main(sys.argv[1:])
"""


@pytest.fixture
def run(make_plan: Callable[..., Plan]) -> PlannedRun:
    """Return the full design with seed 0, planned and its data prepared."""
    planned = make_plan(None, *EPOCHS).runs[0]
    planned.write_plan()
    prepare(planned)
    return planned


def prepare(run: PlannedRun) -> None:
    from mtl_hcc.ablation.stores import prepare_stores
    from mtl_hcc.command_line.config import build_parser

    prepare_stores(build_parser(""), run, [run])


def train(run: PlannedRun) -> str:
    done = call(one_run.main, "--config", run.plan)
    assert done.code == 0, done.err
    return done.out


def cut(monkeypatch: pytest.MonkeyPatch, run: PlannedRun, when: tuple[int, int]) -> None:
    """Train and end with an error at some epoch and batch."""
    real_step = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: Any, batch_idx: int) -> Any:
        if (module.current_epoch, batch_idx) == when:
            raise PowerCutError
        return real_step(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        with pytest.raises(PowerCutError):
            one_run.main(["--config", str(run.plan)])


def history(run: PlannedRun) -> pd.DataFrame:
    table = pd.read_csv(run.folder / "history.csv")
    return table[[name for name in table if not name.startswith("system/")]]


def predictions(run: PlannedRun) -> pd.DataFrame:
    return pd.read_csv(run.folder / "predictions.csv")


def test_a_run_is_trained_once(run):
    assert run.state == "to do"
    train(run)
    assert run.state == "finished"
    record = read_record(run.folder)
    assert set(record) == {"fingerprint", "finished", "seconds"}
    assert record["finished"] is True
    assert record["seconds"] > 0
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    assert "Finished before" in train(run)
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before


def test_a_killed_process_leaves_a_run_that_goes_on_as_if_nothing_had_happened(run, make_plan):
    """Killed for good: the whole process, at once, amid an epoch."""
    killed = subprocess.run(
        [sys.executable, "-c", KILL_SCRIPT, "--config", str(run.plan)],
        env={**os.environ, "PYTHONPATH": str(Path(one_run.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert history(run)["epoch"].tolist() == [0, 1]
    assert run.state == "half-finished", "not running: the system has freed the lock"
    assert "Going on where it stopped" in train(run)
    assert run.state == "finished"
    assert read_record(run.folder)["seconds"] is None, "of no use to estimate others"
    found = history(run), predictions(run)
    assert found[0]["epoch"].tolist() == [0, 1, 2, 3]
    # The same run, unbroken, in another folder.
    whole = make_plan(None, *EPOCHS, "--run", str(run.study.parent / "whole")).runs[0]
    whole.write_plan()
    train(whole)
    pd.testing.assert_frame_equal(found[0], history(whole), rtol=1e-5, atol=1e-7)
    pd.testing.assert_frame_equal(found[1], predictions(whole), rtol=1e-5, atol=1e-7)


def test_a_run_cut_in_its_first_epoch_starts_anew(run, monkeypatch):
    cut(monkeypatch, run, (0, 2))
    assert run.state == "to do"
    assert "Going on" not in train(run)
    assert run.state == "finished"


def test_half_a_checkpoint_starts_the_run_anew(run, monkeypatch):
    cut(monkeypatch, run, (2, 0))
    last = run.folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    assert run.state == "half-finished"
    assert "Starting anew" in train(run)
    assert history(run)["epoch"].tolist() == [0, 1, 2, 3]


def test_other_settings_train_the_run_anew_and_keep_the_old_one_aside(run, monkeypatch, make_plan):
    cut(monkeypatch, run, (2, 0))
    other = make_plan(None, *EPOCHS, "--model.learning_rate", "0.5").runs[0]
    assert other.folder == run.folder
    assert other.state == "settings changed"
    other.write_plan()
    assert "The earlier run was moved to" in train(other)
    assert other.state == "finished"
    assert run.state == "settings changed"
    rate = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["config"]
    assert rate["model"]["learning_rate"] == 0.5
    assert (run.folder.with_name("full_seed0_1") / "history.csv").is_file()


def test_other_labels_train_the_run_anew_and_a_damaged_record_counts_as_none(run):
    train(run)
    cohort = Path(run.values["data"]["cohort"])
    table = pd.read_csv(cohort, dtype=str, keep_default_na=False)
    table.loc[0, "rfs_event"] = "0.0"
    table.to_csv(cohort, index=False)
    assert run.state == "finished", "the store does not know of it yet"
    prepare(run)
    assert run.state == "settings changed"
    (run.folder / "ablation_run.json").write_text('{"finger')
    assert run.state == "to do"


def test_a_run_that_another_process_trains_is_left_to_it(run):
    with run_lock(run.folder):
        assert run.state == "running"
        done = call(one_run.main, "--config", run.plan)
    assert done.code == one_run.BUSY
    assert "another process is training this run" in done.out
    assert not (run.folder / "checkpoints").exists()
    assert run.state == "to do"

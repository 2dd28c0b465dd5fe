"""Kills between any two writes of an epoch, a full disk, damaged files: nothing is lost."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from repeated_training import assert_same_run, history, train
from tiny_training import write_clinical_cohort

from mtl_hcc import atomic
from mtl_hcc.errors import CheckpointError, StoreError
from mtl_hcc.runs.checkpoint import read_checkpoint
from mtl_hcc.training.whole_checkpoints import WholeCheckpoints

EPOCH, EPOCHS = 2, 4
FLAGS = ("--trainer.max_epochs", str(EPOCHS))
KILLS = [
    "before the file of best.ckpt is whole",
    "between best.ckpt and last.ckpt",
    "before the file of last.ckpt is whole",
    "between last.ckpt and the history",
    "before the history is whole",
    "after the history",
]
KILL_SCRIPT = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tiny_training import tiny_config
from mtl_hcc import atomic
from mtl_hcc.tracking.history import HistoryLogger
from mtl_hcc.runs.train_fold import train_fold
from mtl_hcc.training.whole_checkpoints import WholeCheckpoints

real_save, real_fsync = WholeCheckpoints.save_checkpoint, os.fsync
real_log, real_history = HistoryLogger.log_metrics, HistoryLogger.save
now = [0, ""]

def save(self, checkpoint, path, storage_options=None):
    now[:] = [checkpoint["epoch"], Path(path).name]
    real_save(self, checkpoint, path)
    if now[0] == {epoch} and KILL == (now[1], "after"):
        os._exit(9)

def log(self, metrics, step=None):
    real_log(self, metrics, step)
    now[:] = [metrics["epoch"], "history" if "train/loss" in metrics else "validation"]

def save_history(self):
    real_history(self)
    if now == [{epoch}, "history"] and KILL == ("history", "after"):
        os._exit(9)

def fsync(number):
    os.write(number, b"")
    if now[0] == {epoch} and KILL == (now[1], "before"):
        os._exit(9)
    real_fsync(number)

for number, kill in enumerate([
    ("best.ckpt", "before"), ("best.ckpt", "after"), ("last.ckpt", "before"),
    ("last.ckpt", "after"), ("history", "before"), ("history", "after"),
]):
    if os.fork() == 0:
        KILL = kill
        WholeCheckpoints.save_checkpoint, HistoryLogger.log_metrics = save, log
        HistoryLogger.save, os.fsync = save_history, fsync
        folder = Path({folder!r})
        parser, config = tiny_config(folder, *{flags!r})
        train_fold(parser, config, folder / f"killed{{number}}", fold=0)
        os._exit(0)
    _, status = os.wait()
    print(os.WEXITSTATUS(status))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the run ``whole``, the predictions beside it."""
    folder = tmp_path_factory.mktemp("kills")
    write_clinical_cohort(folder)
    train(folder, "whole", *FLAGS).predictions.to_csv(folder / "predictions.csv", index=False)
    losses = history(folder / "whole")["validation/loss"]
    assert losses.iloc[EPOCH] == losses[: EPOCH + 1].min(), "best.ckpt is written in that epoch"
    return folder


@pytest.fixture(scope="module")
def killed(whole: Path) -> tuple[Path, list[Path]]:
    """Return the folder with a run killed at each point, and what they left in TMPDIR."""
    shared_memory = Path("/dev/shm")
    temporary = (shared_memory if shared_memory.is_dir() else whole) / f"mtl_hcc_{os.getpid()}"
    temporary.mkdir()
    try:
        script = KILL_SCRIPT.format(
            tests=str(Path(__file__).parent), folder=str(whole), epoch=EPOCH, flags=FLAGS
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True, text=True, timeout=300, check=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )  # fmt: skip
        assert done.stdout.split() == ["9"] * len(KILLS), done.stderr
        return whole, list(temporary.rglob("*"))
    finally:
        for path in sorted(temporary.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        temporary.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(KILLS)), ids=KILLS)
def test_a_run_killed_anywhere_in_an_epoch_ends_as_the_unbroken_one(
    number: int, killed: tuple[Path, list[Path]]
):
    folder, _ = killed
    run = folder / f"killed{number}"
    for name in ("best", "last"):
        assert read_checkpoint(run / "checkpoints" / f"{name}.ckpt")["epoch"] in (EPOCH - 1, EPOCH)
    left = [path.name for path in run.rglob("*.tmp")]
    assert len(left) == ("before" in KILLS[number]), left
    trained = train(folder, run.name, "--ckpt_path", "last", *FLAGS)
    assert_same_run(folder / "whole", run, epochs=EPOCHS)
    expected = pd.read_csv(folder / "predictions.csv")
    found = trained.predictions.astype(expected.dtypes)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-7)
    assert list(run.rglob("*.tmp")) == [], "they are removed"


@pytest.mark.slow
def test_kills_leave_nothing_in_the_folder_for_temporary_files(killed: tuple[Path, list[Path]]):
    _, left = killed
    assert left == []


@pytest.fixture
def another_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system than TMPDIR, if this machine has two."""
    folder = Path("/dev/shm") / f"mtl_hcc_{tmp_path.name}_{os.getpid()}"
    if not folder.parent.is_dir() or folder.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_checkpoint_is_written_beside_its_target_on_another_file_system(
    another_disk: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    real = os.fsync
    monkeypatch.setattr(
        atomic.os, "fsync", lambda n: (seen.extend(another_disk.iterdir()), real(n))
    )
    WholeCheckpoints().save_checkpoint({"weight": torch.ones(3)}, another_disk / "last.ckpt")
    assert seen == [atomic.temporary_path(seen[0].with_name("last.ckpt"))]
    assert [path.name for path in another_disk.iterdir()] == ["last.ckpt"]
    assert torch.load(another_disk / "last.ckpt", weights_only=True)["weight"].sum() == 3


def full_disk(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    WholeCheckpoints().save_checkpoint({"epoch": 1}, tmp_path / "last.ckpt")
    monkeypatch.setattr(atomic.os, "fsync", full_disk)
    with pytest.raises(StoreError, match=r"last.ckpt: the disk is full, .* MB were needed"):
        WholeCheckpoints().save_checkpoint({"epoch": 2}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


# Damaged checkpoints at the start of a resumed run --------------------------------------------


def copy_of(whole: Path, name: str) -> Path:
    """Return a copy of the run's checkpoints and history, to be damaged."""
    run = whole / name
    (run / "checkpoints").mkdir(parents=True)
    for file in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "history.csv"):
        (run / file).write_bytes((whole / "whole" / file).read_bytes())
    return run


DAMAGE = {"missing": None, "truncated": -2000}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_without_a_whole_best_checkpoint_a_run_is_refused_before_it_trains(
    damage: int | None, whole: Path, request: pytest.FixtureRequest
):
    # With a learning rate of 0 the first epoch stays the best.
    run = f"stale_{request.node.callspec.id}"
    still = ("--model.learning_rate", "0", "--model.schedule", "constant")
    train(whole, run, "--trainer.max_epochs", "2", *still)
    best = whole / run / "checkpoints" / "best.ckpt"
    assert read_checkpoint(best)["epoch"] == 0
    content = best.read_bytes()
    best.unlink()
    if damage is not None:
        best.write_bytes(content[:damage])
    before = history(whole / run)
    with pytest.raises(CheckpointError) as caught:
        train(whole, run, "--ckpt_path", "last", *FLAGS)
    message = str(caught.value)
    why = "no such file or folder" if damage is None else "it cannot be read"
    assert f"{run}/checkpoints/best.ckpt: {why}" in message
    assert "and the run would end with its weights" in message
    last = whole / run / "checkpoints" / "last.ckpt"
    assert f"--run {whole / run}_resumed --ckpt_path {last}" in message
    pd.testing.assert_frame_equal(history(whole / run), before)
    # The remedy works: the best of the epochs to come, in a new folder.
    train(whole, f"{run}_resumed", "--ckpt_path", str(last), *FLAGS)
    resumed = whole / f"{run}_resumed"
    assert history(resumed)["epoch"].tolist() == list(range(EPOCHS))
    assert read_checkpoint(resumed / "checkpoints" / "best.ckpt")["epoch"] >= 2


def test_the_best_checkpoint_is_put_back_where_the_last_epoch_is_the_best(
    whole: Path, capsys: pytest.CaptureFixture[str]
):
    run = whole / "put_back"
    train(whole, run.name, "--trainer.max_epochs", "2")
    best = run / "checkpoints" / "best.ckpt"
    assert read_checkpoint(best)["epoch"] == 1
    best.write_bytes(best.read_bytes()[:-2000])
    first = train(whole, run.name, "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert "last.ckpt is the best epoch so far and was put in its place" in capsys.readouterr().out
    assert read_checkpoint(best)["epoch"] == 1
    again = train(whole, "as_it_was", "--trainer.max_epochs", "2")
    pd.testing.assert_frame_equal(first.predictions, again.predictions)


def test_a_damaged_last_checkpoint_points_to_the_best_one(whole: Path):
    run = copy_of(whole, "damaged_last")
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-2000])
    epoch = read_checkpoint(run / "checkpoints" / "best.ckpt")["epoch"]
    with pytest.raises(CheckpointError) as caught:
        train(whole, run.name, "--ckpt_path", "last", *FLAGS)
    assert f"--ckpt_path best goes on after its epoch {epoch}" in str(caught.value)
    train(whole, run.name, "--ckpt_path", "best", *FLAGS)
    pd.testing.assert_frame_equal(history(run), history(whole / "whole"))


def test_a_kill_between_the_two_checkpoints_of_the_first_epoch_loses_nothing(whole: Path):
    run = copy_of(whole, "first_epoch")
    (run / "checkpoints" / "last.ckpt").unlink()
    train(whole, run.name, "--ckpt_path", "last", *FLAGS)
    pd.testing.assert_frame_equal(history(run), history(whole / "whole"))


def test_a_run_whose_folder_was_moved_keeps_its_best_epoch(whole: Path):
    still = ("--model.learning_rate", "0", "--model.schedule", "constant")
    train(whole, "before", "--trainer.max_epochs", "2", *still)
    (whole / "before").rename(whole / "after")
    train(whole, "after", "--ckpt_path", "last", "--trainer.max_epochs", "3", *still)
    assert read_checkpoint(whole / "after" / "checkpoints" / "best.ckpt")["epoch"] == 0
    assert read_checkpoint(whole / "after" / "checkpoints" / "last.ckpt")["epoch"] == 2


def test_a_new_folder_for_a_run_without_epochs_left_is_refused(whole: Path):
    last = whole / "whole" / "checkpoints" / "last.ckpt"
    with pytest.raises(CheckpointError, match=r"its 4 epochs are all that trainer.max_epochs asks"):
        train(whole, "nothing_left", "--ckpt_path", str(last), *FLAGS)


def test_a_checkpoint_of_version_0_1_goes_on_with_the_rows_of_the_file(whole: Path):
    run = copy_of(whole, "of_0_1")
    for name in ("best", "last"):
        path = run / "checkpoints" / f"{name}.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        del checkpoint["history"]
        torch.save(checkpoint, path)
    train(whole, run.name, "--ckpt_path", "last", *FLAGS)
    pd.testing.assert_frame_equal(history(run), history(whole / "whole"))

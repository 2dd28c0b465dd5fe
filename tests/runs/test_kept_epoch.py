"""Which epoch a training ends with: last or best, from when on, by a smoothed number; resumed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from repeated_training import EPOCHS, history, train
from tiny_training import tiny_config, write_clinical_cohort

from mtl_hcc.batch import PatientBatch
from mtl_hcc.command_line.fit_settings import KeptEpoch, patience_remark
from mtl_hcc.errors import CheckpointError
from mtl_hcc.runs.checkpoint import read_checkpoint
from mtl_hcc.training.module import MultiTaskModule

ALL = ("--keep.start", "0.4", "--keep.mean_over", "2", "--keep.scale", "fitted")
ALL = (*ALL, "--keep.normalize", "true")


class PowerCutError(Exception):
    """Stands for whatever ends a run."""


def kept(run: Path) -> int:
    """Return the epoch of ``best.ckpt``, which is what the history says, too."""
    epoch = int(read_checkpoint(run / "checkpoints" / "best.ckpt")["epoch"])
    assert history(run)["validation/kept_epoch"].iloc[-1] == epoch
    return epoch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clinical_cohort(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("start", "max_epochs", "first"),
    [(0.0, 16, 0), (0.5, 16, 8), (0.5, 5, 3), (0.99, 16, 15), (0.9, 1, 0), (0.0, -1, 0)],
)
def test_the_first_epoch_that_counts_is_a_share_of_all(start: float, max_epochs: int, first: int):
    assert KeptEpoch(start=start).first(max_epochs) == first
    assert KeptEpoch(which="last", start=start).first(max_epochs) == np.inf


def test_by_default_the_lowest_validation_loss_is_kept_and_nothing_else_is_logged(folder: Path):
    train(folder, "run")
    table = history(folder / "run")
    assert kept(folder / "run") == table["validation/loss"].idxmin()
    assert table["validation/kept_epoch"].tolist() == [
        table["validation/loss"][: n + 1].idxmin() for n in range(EPOCHS)
    ]
    assert "validation/criterion" not in table


def test_an_epoch_before_the_first_is_kept_only_until_a_later_one_comes(folder: Path):
    still = ("--model.learning_rate", "0")  # all epochs are equal, so the first would be the best
    train(folder, "run", "--keep.start", "0.4", *still)
    assert history(folder / "run")["validation/kept_epoch"].tolist() == [0, 1, 2, 2, 2]
    assert kept(folder / "run") == 2
    train(folder, "last", "--keep.which", "last", *still)
    assert history(folder / "last")["validation/kept_epoch"].tolist() == [0, 1, 2, 3, 4]
    assert kept(folder / "last") == 4


def test_patience_counts_from_the_first_epoch_that_may_be_kept(folder: Path):
    still = ("--model.learning_rate", "0", "--patience", "2", "--trainer.max_epochs", "10")
    train(folder, "at_once", *still)
    assert len(history(folder / "at_once")) == 3
    train(folder, "later", "--keep.start", "0.4", *still)
    assert len(history(folder / "later")) == 4 + 3
    train(folder, "never", "--keep.which", "last", *still)
    assert len(history(folder / "never")) == 10


def test_the_criterion_is_the_mean_over_the_last_epochs(folder: Path):
    train(folder, "run", "--keep.mean_over", "3")
    table = history(folder / "run")
    expected = table["validation/loss"].rolling(3, min_periods=1).mean()
    pd.testing.assert_series_equal(
        table["validation/criterion"], expected, rtol=1e-5, check_names=False
    )
    assert kept(folder / "run") == expected.idxmin()


def test_the_criterion_goes_into_history_and_has_the_best_epoch(folder: Path):
    train(folder, "run", "--keep.scale", "fitted", "--keep.normalize", "true")
    table = history(folder / "run")
    criterion = table["validation/criterion"]
    assert criterion.between(0.5, 3.0).all(), "a share for each of three tasks"
    assert kept(folder / "run") == criterion.idxmin()


@pytest.mark.parametrize("flags", [ALL, ("--keep.which", "last")], ids=["all", "last"])
@pytest.mark.parametrize("when", [(1, 2), (3, 0), (4, 1)])
def test_a_run_that_was_cut_keeps_the_same_epoch(
    when: tuple[int, int], flags: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    real = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: PatientBatch, batch_idx: int) -> dict[str, Any]:
        if (module.current_epoch, batch_idx) == when:
            raise PowerCutError
        return real(module, batch, batch_idx)

    train(folder, "whole", *flags)
    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        with pytest.raises(PowerCutError):
            train(folder, "cut", *flags)
    train(folder, "cut", "--ckpt_path", "last", *flags)
    pd.testing.assert_frame_equal(
        history(folder / "cut"), history(folder / "whole"), check_exact=True
    )
    assert kept(folder / "cut") == kept(folder / "whole")


def test_a_damaged_best_checkpoint_is_put_back_where_the_last_epoch_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    still = ("--keep.which", "last", "--model.learning_rate", "0")  # equal losses in all epochs
    train(folder, "run", *still, "--trainer.max_epochs", "2")
    best = folder / "run" / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:-2000])
    train(folder, "run", "--ckpt_path", "last", *still)
    assert "last.ckpt is the best epoch so far and was put in its place" in capsys.readouterr().out
    assert kept(folder / "run") == 4


def test_two_ways_of_comparing_do_not_meet_in_one_run(folder: Path):
    train(folder, "run", "--trainer.max_epochs", "2")
    with pytest.raises(CheckpointError) as caught:
        train(folder, "run", "--ckpt_path", "last", *ALL)
    message = str(caught.value)
    assert "compared with --keep.which best --keep.mean_over 1 --keep.scale given" in message
    assert "now with --keep.which best --keep.mean_over 2 --keep.scale fitted" in message
    last = folder / "run" / "checkpoints" / "last.ckpt"
    train(folder, "new", "--ckpt_path", str(last), *ALL)
    assert kept(folder / "new") >= 2


def test_a_run_of_an_earlier_version_goes_on(folder: Path):
    import torch

    train(folder, "whole")
    train(folder, "run", "--trainer.max_epochs", "2")
    for name in ("best", "last"):
        path = folder / "run" / "checkpoints" / f"{name}.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        states = checkpoint["callbacks"]
        del states["EpochChoice"]
        for state in states.values():
            state.pop("kept_epoch", None)
        torch.save(checkpoint, path)
    train(folder, "run", "--ckpt_path", "last")
    train(folder, "run", "--ckpt_path", "last", "--trainer.max_epochs", "6")
    best = [read_checkpoint(folder / run / "checkpoints/best.ckpt")["epoch"] for run in ("run",)]
    assert best[0] == history(folder / "run")["validation/loss"].idxmin()


def test_patience_that_cannot_act_is_remarked(tmp_path: Path):
    def remark(*flags: str) -> str:
        return patience_remark(tiny_config(tmp_path, *flags)[1])

    said = remark("--patience", "20", "--trainer.max_epochs", "16")
    assert said.startswith("All 16 epochs will be trained: patience is 20, so early stopping can")
    assert remark("--patience", "5", "--trainer.max_epochs", "16") == ""
    assert remark("--patience", "14", "--trainer.max_epochs", "16") == ""
    assert remark("--patience", "15", "--trainer.max_epochs", "16") != ""
    half = remark("--patience", "8", "--trainer.max_epochs", "16", "--keep.start", "0.5")
    assert "patience is 8 from epoch 8 on, so early stopping cannot act" in half
    last = remark("--patience", "5", "--trainer.max_epochs", "16", "--keep.which", "last")
    assert last == "All 16 epochs will be trained: keep.which is last."

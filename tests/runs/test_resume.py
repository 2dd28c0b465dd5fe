"""A run that was killed and resumed is the run that was not: the same losses, epoch by epoch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from repeated_training import EPOCHS, assert_same_run, history, train
from tiny_training import IMAGE_SETTINGS, write_clinical_cohort, write_image_store

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import CheckpointError
from mtl_hcc.training.module import MultiTaskModule

KILLS = {"at the start of an epoch": (3, 0), "amid an epoch": (2, 3), "in the first epoch": (0, 2)}
IMAGES: dict[str, Any] = IMAGE_SETTINGS | {
    "data__augmentation": [
        {"class_path": "Rotation3D"},
        {"class_path": "TimeJitter"},
        {"class_path": "PhaseDropout", "init_args": {"probability": 0.3}},
    ],
}
KILL_SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tiny_training import tiny_config
from mtl_hcc.training.module import MultiTaskModule
from mtl_hcc.runs.train_fold import train_fold

real_step = MultiTaskModule.training_step

def dying(when):
    def step(module, batch, batch_idx):
        if (module.current_epoch, batch_idx) == when:
            os.kill(os.getpid(), signal.SIGKILL)
        return real_step(module, batch, batch_idx)
    return step

for number, (when, flags) in enumerate({kills!r}):
    if os.fork() == 0:
        MultiTaskModule.training_step = dying(when)
        folder = Path({folder!r})
        parser, config = tiny_config(folder / f"settings{{number}}", *flags)
        train_fold(parser, config, folder / f"killed{{number}}", fold=0)
        os._exit(0)
    _, status = os.wait()
    print(os.WTERMSIG(status))
"""


class PowerCutError(Exception):
    """Stands for whatever ends a run."""


def train_and_cut(
    monkeypatch: pytest.MonkeyPatch, when: tuple[int, int], folder: Path, run: str, **changes: Any
) -> None:
    real_step = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: PatientBatch, batch_idx: int) -> dict[str, Any]:
        if (module.current_epoch, batch_idx) == when:
            raise PowerCutError
        return real_step(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        with pytest.raises(PowerCutError):
            train(folder, run, **changes)


@pytest.fixture(scope="module")
def image_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the unbroken ``whole`` run on images and covariates."""
    folder = tmp_path_factory.mktemp("images")
    write_image_store(folder / "store")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CohortDataModule, "prepare_data", lambda self: None)
        train(folder, "whole", **IMAGES)
    return folder


@pytest.mark.parametrize("when", KILLS.values(), ids=KILLS)
def test_an_interrupted_run_on_images_goes_on_as_if_nothing_had_happened(
    when: tuple[int, int], image_run: Path, monkeypatch: pytest.MonkeyPatch
):
    """With dropout, rotation, jitter, phase dropout, DWA, bank, target and cosine schedule."""
    monkeypatch.setattr(CohortDataModule, "prepare_data", lambda self: None)
    run = f"cut_{when[0]}_{when[1]}"
    train_and_cut(monkeypatch, when, image_run, run, **IMAGES)
    resume = ["--ckpt_path", "last"] if when[0] else []  # no epoch was finished: start anew
    trained = train(image_run, run, *resume, **IMAGES)
    assert_same_run(image_run / "whole", image_run / run)
    assert trained.predictions["risk"].notna().any()


@pytest.mark.slow
def test_killed_processes_go_on_with_their_early_stopping(tmp_path: Path):
    # A learning rate of 0 never improves: with patience 3 the run stops after four epochs.
    still = ("--model.learning_rate", "0", "--patience", "3", "--trainer.max_epochs", "9")
    kills = [((3, 0), ()), ((2, 4), ()), ((2, 1), still)]
    for number in range(len(kills)):
        write_clinical_cohort(tmp_path / f"settings{number}")
    script = KILL_SCRIPT.format(
        tests=str(Path(__file__).parents[1]), kills=kills, folder=str(tmp_path)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == ["9", "9", "9"], done.stderr

    for number, (when, flags) in enumerate(kills):
        settings = tmp_path / f"settings{number}"
        before = history(tmp_path / f"killed{number}")
        assert before["epoch"].tolist() == list(range(when[0]))
        train(settings, f"../killed{number}", "--ckpt_path", "last", *flags)
        train(settings, f"../whole{number}", *flags)
        assert_same_run(
            tmp_path / f"whole{number}",
            tmp_path / f"killed{number}",
            epochs=4 if flags else EPOCHS,
        )


def test_a_run_that_had_stopped_early_does_not_train_on(tmp_path: Path):
    flags = ("--model.learning_rate", "0", "--patience", "2", "--trainer.max_epochs", "9")
    train(tmp_path, "run", *flags)
    before = history(tmp_path / "run")
    assert len(before) == 3
    train(tmp_path, "run", "--ckpt_path", "last", *flags)
    pd.testing.assert_frame_equal(history(tmp_path / "run"), before)
    patient = [flag if flag != "2" else "4" for flag in flags]
    train(tmp_path, "run", "--ckpt_path", "last", *patient)
    assert len(history(tmp_path / "run")) == 5


def test_a_finished_run_can_be_finished_again(tmp_path: Path):
    first = train(tmp_path, "run", "--trainer.max_epochs", "2")
    before = history(tmp_path / "run")
    again = train(tmp_path, "run", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    pd.testing.assert_frame_equal(history(tmp_path / "run"), before)
    pd.testing.assert_frame_equal(again.predictions, first.predictions)


def test_flags_beat_what_the_checkpoint_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    train_and_cut(monkeypatch, (2, 0), tmp_path, "run")
    weights = [torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]]
    flags = ("--model.learning_rate", "0", "--model.schedule", "constant")
    train(tmp_path, "run", "--ckpt_path", "last", *flags)
    assert history(tmp_path / "run")["train/learning_rate"].tolist()[2:] == [0, 0, 0]
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    weights.append(last["state_dict"])
    assert last["epoch"] == EPOCHS - 1
    names = [name for name in weights[0] if name.startswith("network.")]
    first, second = ({name: state[name] for name in names} for state in weights)
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    assert [group["weight_decay"] for group in last["optimizer_states"][0]["param_groups"]] == [
        0.01,
        0.0,
    ]


def test_nothing_to_resume_says_where_it_looked(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"run/checkpoints/last.ckpt: nothing to resume"):
        train(tmp_path, "run", "--ckpt_path", "last")


def test_resuming_with_another_network_names_the_first_weight_that_differs(tmp_path: Path):
    train(tmp_path, "run", "--trainer.max_epochs", "1")
    fusion = {"class_path": "FullyConnected", "init_args": {"widths": [9], "dropout": 0.3}}
    with pytest.raises(CheckpointError, match=r"weight 'network.fusion.layers.0.bias' is \(8,\)"):
        train(tmp_path, "run", "--ckpt_path", "last", model__fusion=fusion)


def test_another_seed_is_another_run(tmp_path: Path):
    """Otherwise the comparisons above would prove little."""
    one, other = (
        train(tmp_path, f"seed{seed}", "--seed", str(seed), "--trainer.max_epochs", "1")
        for seed in (1, 2)
    )
    assert not np.allclose(*(fold.predictions["risk"].dropna() for fold in (one, other)))

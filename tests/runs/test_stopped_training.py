"""What a user sees of a training that a NaN has ended: the command line, and what is left."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from repeated_training import history, train
from tiny_runs import CONFIGS, call
from tiny_training import IMAGE_SETTINGS, cohort_table, write_image_store

from mtl_hcc import fit
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import MtlHccError, StoreError, TableError
from mtl_hcc.runs import train_fold as training
from mtl_hcc.runs.checkpoint import read_checkpoint
from mtl_hcc.store.prepared_file import content_hash, read_prepared, write_prepared
from mtl_hcc.training.module import MultiTaskModule

COVARIATES = "{age_years: linear, afp_ng_ml: log}"


def flags(folder: Path) -> list[str]:
    """Return flags of a clinical run of the shipped config on ``cohort.csv``."""
    return [
        *("--config", str(CONFIGS / "clinical_mtl.yaml")),
        *("--data.cohort", str(folder / "cohort.csv")),
        *("--data.source", "ClinicalTable"),
        *("--data.covariates", COVARIATES),
        *("--baselines", "{}"),
        *("--data.store", str(folder / "store")),
        *("--data.split", "SplitByColumn"),
        *("--data.batch_size", "16"),
        *("--run", str(folder / "run")),
        *("--trainer.max_epochs", "4", "--trainer.accelerator", "cpu"),
        *("--bootstraps", "20", "--wandb", "disabled", "--trainer.enable_progress_bar", "false"),
    ]


def test_a_learning_rate_of_1e12_ends_with_code_2_and_no_results(tmp_path: Path):
    cohort_table().to_csv(tmp_path / "cohort.csv")
    done = call(fit.main, *flags(tmp_path), "--model.learning_rate", "1e12")
    assert done.code == 2, done.err
    assert done.err.startswith(f"TrainingError: {tmp_path / 'run'}, epoch ")
    assert "not finite" in done.err
    assert ", learning rate " in done.err
    assert "a learning rate that is too high" in done.err
    assert not (tmp_path / "run" / "predictions.csv").exists()
    assert not (tmp_path / "run" / "model").exists()


def nan_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = MultiTaskModule.forward

    def forward(module: MultiTaskModule, batch: Any) -> dict[str, torch.Tensor]:
        outputs = real(module, batch)
        spoilt = module.training and module.current_epoch == number
        return {name: output * (np.nan if spoilt else 1) for name, output in outputs.items()}

    monkeypatch.setattr(MultiTaskModule, "forward", forward)


def test_a_nan_in_a_later_epoch_keeps_the_checkpoints_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cohort_table().to_csv(tmp_path / "cohort.csv")
    with monkeypatch.context() as patched:
        nan_in_epoch(2, patched)
        done = call(fit.main, *flags(tmp_path))
    assert done.code == 2, done.err
    run = tmp_path / "run"
    rate = read_checkpoint(run / "checkpoints" / "last.ckpt")["config"]["model"]["learning_rate"]
    assert "epoch 2, learning rate" in done.err
    kept = [f"{run}/checkpoints/{name}.ckpt (epoch " for name in ("last", "best")]
    assert f"Kept as they were: {kept[0]}1) and {kept[1]}" in done.err
    command = f"python -m mtl_hcc.fit --config {run}/config.yaml --ckpt_path last"
    assert f"{command} --model.learning_rate {rate / 10:g}" in done.err
    for name in ("last", "best"):
        weights = read_checkpoint(run / "checkpoints" / f"{name}.ckpt")["state_dict"]
        network = [tensor for key, tensor in weights.items() if key.startswith("network.")]
        assert all(tensor.isfinite().all() for tensor in network)
    assert history(run)["epoch"].tolist() == [0, 1]
    again = call(fit.main, "--config", run / "config.yaml", "--ckpt_path", "last")
    assert again.code == 0, again.err
    assert history(run)["epoch"].tolist() == [0, 1, 2, 3]
    assert np.isfinite(pd.read_csv(run / "predictions.csv")["probability"].dropna()).all()


def test_a_covariate_of_1e39_is_named_before_the_training(tmp_path: Path):
    table = cohort_table().astype({"age_years": float})
    table.loc["P003", "age_years"] = 1e39
    table.to_csv(tmp_path / "cohort.csv")
    with pytest.raises(MtlHccError) as caught:
        train(tmp_path, "run")
    assert isinstance(caught.value, TableError)
    assert "patients.csv, patient P003, column age_years: 1e+39" in str(caught.value)


def test_one_nan_voxel_in_the_store_is_named_with_its_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_image_store(tmp_path / "store")
    monkeypatch.setattr(CohortDataModule, "prepare_data", lambda self: None)
    (file,) = (tmp_path / "store" / "patients").glob("*P005*")
    prepared = read_prepared(file)
    view = prepared.views["tumor"]
    images = view.images.copy()
    images[0, 3, 3, 3] = np.nan
    spoilt = replace(prepared, views={"tumor": replace(view, images=images)})
    write_prepared(file, spoilt)
    manifest = pd.read_csv(tmp_path / "store" / "manifest.csv", index_col="patient_id")
    manifest.loc["P005", "sha256"] = content_hash(spoilt)  # so it was prepared, not damaged
    manifest.to_csv(tmp_path / "store" / "manifest.csv")
    with pytest.raises(StoreError) as caught:
        train(tmp_path, "run", **IMAGE_SETTINGS)
    assert "patient P005: 1 voxel is not finite" in str(caught.value)


def test_predictions_that_are_not_finite_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = training.predict_patients

    def spoilt(*arguments: Any, **settings: Any) -> Any:
        outputs, targets, who = real(*arguments, **settings)
        bad = torch.tensor((who["patient_id"] == "P030").to_numpy())
        outputs["os"] = torch.where(bad[:, None], torch.inf, outputs["os"])
        return outputs, targets, who

    cohort_table().to_csv(tmp_path / "cohort.csv")
    monkeypatch.setattr(training, "predict_patients", spoilt)
    done = call(fit.main, *flags(tmp_path))
    assert done.code == 2, done.out
    assert not (tmp_path / "run" / "predictions.csv").exists()
    assert "the prediction of os is not finite for 1 of 40 patients: P030" in done.err


def test_a_validation_split_without_labels_of_the_only_task_is_refused_before_training(
    tmp_path: Path,
):
    table = cohort_table()
    table.loc[table["split"] == "validation", "mvi"] = np.nan
    table.to_csv(tmp_path / "cohort.csv")
    heads = {"mvi": {"class_path": "ClassHead", "init_args": {"column": "mvi"}}}
    with pytest.raises(MtlHccError, match=r"none of the 12 patients in split validation has a"):
        train(tmp_path, "run", model__heads=heads, model__risk_bank=None, data__endpoints=["mvi"])


TWO_RANKS = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch, torch.distributed as dist, torch.multiprocessing as mp
from tiny_training import tiny_config
from mtl_hcc.errors import TrainingError
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.runs.train_fold import train_fold

def rank(number, folder):
    torch.set_num_threads(1)
    meeting = f"file://{{folder}}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=number, world_size=2)
    os.environ |= {{"LOCAL_RANK": str(number), "NODE_RANK": "0", "WORLD_SIZE": "2"}}
    own = Path(folder) / f"rank{{number}}"
    own.mkdir()
    flags = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "2"]
    parser, config = tiny_config(own, *flags, "--data.store", f"{{folder}}/store")
    real = CohortDataModule.on_after_batch_transfer
    def spoil(self, batch, index):
        batch = real(self, batch, index)
        if "P007" in batch.patient_id:  # on one rank only
            batch.covariates[batch.patient_id.index("P007"), 0] = torch.inf
        return batch
    CohortDataModule.on_after_batch_transfer = spoil
    CohortDataModule.prepare_data = lambda self: None
    try:
        train_fold(parser, config, Path(folder) / "two", fold=0)
    except TrainingError as error:
        (own / "error.txt").write_text(str(error))

if __name__ == "__main__":
    mp.spawn(rank, ({folder!r},), nprocs=2)
"""


@pytest.mark.slow
def test_all_ranks_stop_together_and_name_the_patient_of_one(tmp_path: Path):
    cohort_table().to_csv(tmp_path / "cohort.csv")
    train(tmp_path, "makes_the_store", "--trainer.max_epochs", "1")
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path)))
    subprocess.run([sys.executable, script], timeout=200, check=True, capture_output=True)
    for number in range(2):
        error = (tmp_path / f"rank{number}" / "error.txt").read_text()
        assert "the training loss is not finite" in error
        assert "patient P007 has inf as afp_ng_ml" in error

"""Checkpoints: what is exported predicts the same, and nothing bad is loaded."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from tiny_training import tiny_config

from mtl_hcc.errors import CheckpointError
from mtl_hcc.runs.checkpoint import CONFIG, WEIGHTS, export_model, load_model, read_checkpoint
from mtl_hcc.runs.prediction_table import predict_patients, prediction_rows
from mtl_hcc.runs.train_fold import TrainedFold, batches, train_fold


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedFold:
    parser, config = tiny_config(folder, "--trainer.max_epochs", "2")
    trained = train_fold(parser, config, folder, fold=0)
    assert trained is not None
    return trained


def rows(trained: TrainedFold, path: Path) -> pd.DataFrame:
    """Return what the model in a file predicts for the patients of the run."""
    module, _ = load_model(path)
    return prediction_rows(module, *predict_patients(module, batches(trained.datamodule)))


@pytest.mark.parametrize("inside", ["", "model"])
def test_an_exported_model_predicts_what_the_trained_one_did(
    inside: str, trained: TrainedFold, folder: Path
):
    found = rows(trained, folder / inside)
    assert found["survival_365"].notna().any(), "the baseline hazard travels along"
    pd.testing.assert_frame_equal(found, trained.predictions, check_exact=True)


def test_the_best_training_checkpoint_has_the_same_weights_but_no_baseline_hazard(
    trained: TrainedFold, folder: Path
):
    found = rows(trained, folder / "checkpoints" / "best.ckpt")
    for column in ("risk", "probability"):
        pd.testing.assert_series_equal(found[column], trained.predictions[column])
    assert found["survival_365"].isna().all()


def test_the_export_is_safetensors_and_a_yaml(trained: TrainedFold, folder: Path):
    with safe_open(folder / "model" / WEIGHTS, framework="np") as file:
        assert "clinical.median" in file.keys()  # noqa: SIM118, the file is no mapping
    text = (folder / "model" / CONFIG).read_text()
    assert f"# torch {torch.__version__.split('+')[0]}" in text
    assert yaml.safe_load(text) == trained.module.config


@pytest.mark.parametrize("name", ["best", "last"])
def test_training_checkpoints_hold_no_objects(name: str, trained: TrainedFold, folder: Path):
    checkpoint = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert checkpoint["config"] == trained.module.config
    assert json.loads(json.dumps(checkpoint["config"])) == checkpoint["config"]


@pytest.mark.parametrize("path", ["model", "checkpoints/best.ckpt"])
def test_a_loaded_model_can_be_exported_again(
    path: str, trained: TrainedFold, folder: Path, tmp_path: Path
):
    module, config = load_model(folder / path)
    export_model(module, tmp_path)
    again, values = load_model(tmp_path)
    assert values == config == trained.module.config, "plain values, not the parser's objects"
    torch.testing.assert_close(again.network.state_dict(), module.network.state_dict())


class Exploit:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [True, False], ids=["plain pickle", "zip file of torch"])
def test_a_checkpoint_with_pickled_code_is_refused_and_does_not_run(
    legacy: bool, tmp_path: Path, trained: TrainedFold
):
    proof, path = tmp_path / "it_ran", tmp_path / "evil.ckpt"
    content = {"config": trained.module.config, "state_dict": Exploit(proof)}
    if legacy:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"evil.ckpt: it holds pickled code"):
        load_model(path)
    assert not proof.exists()
    torch.load(path, weights_only=False) if not legacy else pickle.loads(path.read_bytes())
    assert proof.exists(), "the exploit works where nobody looks"


def damaged(folder: Path, tmp_path: Path) -> dict[str, Callable[[], Path]]:
    """Return what is wrong to a maker of such a file or folder."""
    best = folder / "checkpoints" / "best.ckpt"

    def copy_of_model(name: str, content: bytes | None) -> Path:
        for file in (folder / "model").iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        if content is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(content)
        return tmp_path

    def file(content: bytes) -> Path:
        path = tmp_path / "model.ckpt"
        path.write_bytes(content)
        return path

    def saved(content: Any) -> Path:
        torch.save(content, tmp_path / "model.ckpt")
        return tmp_path / "model.ckpt"

    config = yaml.safe_load((folder / "model" / CONFIG).read_text())
    weights = (folder / "model" / WEIGHTS).read_bytes()
    return {
        "model.ckpt: it cannot be read": lambda: file(best.read_bytes()[:-2000]),
        "model.ckpt: it cannot be read (": lambda: file(b""),
        "model.ckpt: it holds pickled code or is damaged": lambda: file(b"These are no weights."),
        "model.ckpt: it carries no mtl_hcc config": lambda: saved({"state_dict": {}}),
        "carries no mtl_hcc config and weights": lambda: saved({"config": config}),
        "Only checkpoints written by": lambda: saved([torch.zeros(1)]),
        "absent.ckpt: no such file or folder": lambda: tmp_path / "absent.ckpt",
        f"{tmp_path}: no {WEIGHTS} in the folder": lambda: tmp_path,
        f"{tmp_path}: no {CONFIG} in the folder": lambda: copy_of_model(CONFIG, None),
        f"{WEIGHTS}: it is damaged": lambda: copy_of_model(WEIGHTS, weights[:-100]),
        f"{CONFIG}: it is damaged": lambda: copy_of_model(CONFIG, b"model: {"),
    }


@pytest.mark.parametrize("number", range(11))
def test_a_bad_file_or_folder_is_named_with_what_is_wrong(
    number: int, trained: TrainedFold, folder: Path, tmp_path: Path
):
    cases = damaged(folder, tmp_path)
    assert len(cases) == 11
    message, make = list(cases.items())[number]
    with pytest.raises(CheckpointError) as caught:
        load_model(make())
    assert message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [9]}, "'fusion.layers.0.bias' is (8,) in the checkpoint but (9,) in this"),
        ({"widths": [8, 8]}, "'fusion.layers.3.bias' is absent in the checkpoint but (8,) in this"),
        ({"widths": []}, "'fusion.layers.0.bias' is (8,) in the checkpoint but absent in this"),
    ],
)
def test_weights_of_another_config_are_named(
    change: dict[str, Any], message: str, trained: TrainedFold, folder: Path, tmp_path: Path
):
    config = yaml.safe_load((folder / "model" / CONFIG).read_text())
    config["model"]["fusion"]["init_args"] |= change
    (tmp_path / WEIGHTS).write_bytes((folder / "model" / WEIGHTS).read_bytes())
    (tmp_path / CONFIG).write_text(yaml.safe_dump(config))
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path)
    assert message in str(caught.value)


def test_reading_does_not_need_the_device_that_wrote(trained: TrainedFold, folder: Path):
    checkpoint = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert {tensor.device.type for tensor in checkpoint["state_dict"].values()} == {"cpu"}

"""Trained models as files: export for prediction, loading without executing pickled code."""

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from mtl_hcc.atomic import write_bytes
from mtl_hcc.command_line.config import config_text
from mtl_hcc.command_line.plain_yaml import check_plain, read_plain_yaml
from mtl_hcc.errors import CheckpointError
from mtl_hcc.estimators.exported import PIPELINES
from mtl_hcc.reporting.run_folder import member_folders
from mtl_hcc.runs.earlier_layout import is_earlier, translated_config, translated_weights
from mtl_hcc.runs.model_config import build_model
from mtl_hcc.training.module import MultiTaskModule

WEIGHTS = "model.safetensors"
CONFIG = "config.yaml"


def export_model(module: MultiTaskModule, folder: Path) -> None:
    """Write what prediction needs: weights, statistics, baseline hazards and the config.

    Args:
        module: Trained, with baseline hazards and ``module.config``.
        folder: Gets ``model.safetensors`` and ``config.yaml``.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in module.network.state_dict().items()
    }
    write_bytes(folder / WEIGHTS, save(tensors))
    write_bytes(folder / CONFIG, config_text(module.config).encode())


def load_model(
    path: Path, *, trusted: Sequence[str] = ()
) -> tuple[MultiTaskModule, dict[str, Any]]:
    """Load a trained model, ready to predict. Nothing that comes with it is executed.

    Args:
        path: An exported folder (``model.safetensors`` and ``config.yaml``), a run folder with
            ``model/`` in it, or a training checkpoint ``*.ckpt``.
        trusted: Packages besides mtl_hcc whose classes its config may name: their code is run.

    Returns:
        The module in evaluation mode, and its complete config as plain values.

    Raises:
        CheckpointError: naming the file and what to do.
    """
    if path.is_dir():
        named = (path / "model" / name for name in (WEIGHTS, PIPELINES))
        folder = path / "model" if any(file.is_file() for file in named) else path
        config, weights = _read_export(folder)
    else:
        checkpoint = read_checkpoint(path)
        config = checkpoint["config"]
        prefix = "network."
        weights = {
            name.removeprefix(prefix): tensor
            for name, tensor in checkpoint["state_dict"].items()
            if name.startswith(prefix)
        }
    if is_earlier(config):
        config, weights = translated_config(config), translated_weights(weights)
    module = build_model(config, weights, trusted=trusted, where=str(path))
    module.network.load_state_dict(weights)
    module.config = config
    return module.eval(), config


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training checkpoint, refusing one that holds code.

    Raises:
        CheckpointError: absent, truncated, of another program, or with pickled objects.
    """
    if not path.is_file():
        raise CheckpointError(
            "no such file or folder",
            where=str(path),
            remedy="Name a run folder, its model/ folder, or a file in its checkpoints/.",
        )
    _check_size(path)
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"it holds pickled code or is damaged ({_first_line(error)})",
            where=str(path),
            expected="tensors and plain values only, as mtl_hcc writes them",
            remedy="Do not load it with other tools unless you trust who made it.",
        ) from error
    except Exception as error:  # a damaged pickle makes torch.load raise almost anything
        raise CheckpointError(
            f"it cannot be read ({_first_line(error)})",
            where=str(path),
            remedy="It may be truncated: copy it again, or take the other file in checkpoints/.",
        ) from error
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= {*checkpoint}:
        raise CheckpointError(
            "it carries no mtl_hcc config and weights",
            where=str(path),
            remedy="Only checkpoints written by `python -m mtl_hcc.fit` can be used.",
        )
    check_plain(checkpoint["config"], where=str(path), error=CheckpointError)
    return checkpoint


def _check_size(path: Path) -> None:
    """Refuse a packed file: torch stores tensors as they are, so one that grows is a zip bomb."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
    except zipfile.BadZipFile:
        return  # torch says what is wrong
    if unpacked > 2 * path.stat().st_size:
        raise CheckpointError(
            f"{path.stat().st_size / 1e6:.1f} MB that unpack to {unpacked / 1e6:.1f} MB",
            where=str(path),
            expected="a checkpoint as mtl_hcc writes it, which is not packed",
            remedy="Do not use it unless you trust who made it.",
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _read_export(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if (folder / PIPELINES).is_file():
        raise CheckpointError(
            "it holds an estimator on tables, not a network",
            where=str(folder),
            expected=f"a network ({WEIGHTS}), which looks at images",
            remedy="Name the run of a network. `predict` takes either kind.",
        )
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"no {name} in the folder",
                where=str(folder),
                remedy=f"The run has several networks: name one of them, e.g. {members[0]}."
                if (members := member_folders(folder))
                else "Name a run folder whose training has ended, or its model/ folder.",
            )
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise CheckpointError(
            f"it is damaged ({error})", where=str(folder / WEIGHTS), remedy="Copy it again."
        ) from error
    config = read_plain_yaml(folder / CONFIG, error=CheckpointError, remedy="Copy it again.")
    return config, weights

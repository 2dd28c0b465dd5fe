"""Trained models as files: export for prediction, loading without executing pickled code."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from mtl_hcc.atomic import write_bytes
from mtl_hcc.config import (
    build_parser,
    config_from_dict,
    config_text,
    instantiate,
)
from mtl_hcc.errors import CheckpointError
from mtl_hcc.module import MultiTaskModule

WEIGHTS = "model.safetensors"
CONFIG = "config.yaml"


def export_model(module: MultiTaskModule, folder: Path, *, phases: list[str]) -> None:
    """Write what prediction needs: weights, statistics, baseline hazards and the config.

    Args:
        module: Trained, with baseline hazards and ``module.config``.
        folder: Gets ``model.safetensors`` and ``config.yaml``.
        phases: Order of the phases, kept with the weights.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in module.network.state_dict().items()
    }
    write_bytes(folder / WEIGHTS, save(tensors, metadata={"phases": json.dumps(phases)}))
    write_bytes(folder / CONFIG, config_text(module.config).encode())


def load_model(path: Path) -> tuple[MultiTaskModule, dict[str, Any]]:
    """Load a trained model, ready to predict.

    Args:
        path: An exported folder (``model.safetensors`` and ``config.yaml``), a run folder with
            ``model/`` in it, or a training checkpoint ``*.ckpt``.

    Returns:
        The module in evaluation mode, and its complete config as plain values.

    Raises:
        CheckpointError: naming the file and what to do.
    """
    if path.is_dir():
        folder = path / "model" if (path / "model" / WEIGHTS).is_file() else path
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
    parser = build_parser("")
    # Only the model is built: data and trainer belong to the machine that trained it.
    module: MultiTaskModule = instantiate(parser, config_from_dict(parser, config)).model
    check_fits(module.network.state_dict(), weights, where=str(path))
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
    return checkpoint


def check_fits(expected: dict[str, Tensor], found: dict[str, Tensor], *, where: str) -> None:
    """Raise unless names and shapes of the weights agree.

    Raises:
        CheckpointError: naming the first weight that differs.
    """
    grows = ("baseline_time", "baseline_hazard")  # one entry per event time of the training split
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if name.endswith(grows) and one is not None and other is not None:
            continue
        if one is None or other is None or one.shape != other.shape:
            shapes = [tuple(t.shape) if t is not None else "absent" for t in (other, one)]
            raise CheckpointError(
                f"weight '{name}' is {shapes[0]} in the checkpoint but {shapes[1]} in this config",
                where=where,
                expected="a checkpoint of the same model settings",
                remedy="Use the config.yaml beside the checkpoint, or train anew.",
            )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _read_export(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"no {name} in the folder",
                where=str(folder),
                remedy=f"The run has several folds: name one of them, e.g. {folder / 'fold_0'}."
                if (folder / "fold_0").is_dir()
                else "Name a run folder whose training has ended, or its model/ folder.",
            )
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise CheckpointError(
            f"it is damaged ({error})", where=str(folder / WEIGHTS), remedy="Copy it again."
        ) from error
    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"it is damaged ({_first_line(error)})",
            where=str(folder / CONFIG),
            remedy="Copy it again.",
        ) from error
    return config, weights

"""Model folders as an attacker, or a broken disk, would make them: what opening them must survive.

Each maker changes a copy of the shipped model. Code that runs makes the file ``IT_RAN`` beside the
model. A case that is ``harmless`` may be opened, as long as nothing of the attack happens.
"""

import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "ct_mtl_phantom"
PROOF = "IT_RAN"
PACKAGE = "shared_model"
_CODE = """
import pathlib
pathlib.Path(__file__).with_name("IT_RAN").touch()
from mtl_hcc.nn import CoxHead
class Head(CoxHead):
    pass
"""
EVIL = f"{PACKAGE}.evil.Head"
_EVIL_PART = {"class_path": EVIL, "init_args": {"endpoint": "os"}}


@dataclass(frozen=True)
class HostileModel:
    """One attack.

    Attributes:
        make: Changes a copy of the shipped model and returns what is given to ``--checkpoint``.
        message: What the refusal says; empty when opening it is harmless.
    """

    make: Callable[[Path], Path]
    message: str = ""


def lay_out(case: HostileModel, folder: Path) -> Path:
    """Copy the shipped model into ``folder/shared_model``, with code beside it, and change it."""
    model = folder / PACKAGE
    shutil.copytree(SHIPPED, model)
    (model / "evil.py").write_text(_CODE)
    return case.make(model)


_ENCODER = "model.encoders.tumor"


def _setting(place: str, value: Any) -> Callable[[Path], Path]:
    """Return a maker that sets one value of the config."""
    *parents, last = place.split(".")

    def make(model: Path) -> Path:
        path = model / "config.yaml"
        config = yaml.safe_load(path.read_text())
        reduce(lambda part, key: part[key], parents, config)[last] = deepcopy(value)
        path.write_text(yaml.safe_dump(config))
        return model

    return make


def _text(text: str | Callable[[], str]) -> Callable[[Path], Path]:
    """Return a maker that replaces the config's text."""

    def make(model: Path) -> Path:
        (model / "config.yaml").write_text(text if isinstance(text, str) else text())
        return model

    return make


def _bomb() -> str:
    """Return a few hundred bytes of YAML that stand for a billion values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


def _merge_bomb() -> str:
    lines = ["a: &a {x: 1}"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}")
    return "\n".join(lines)


def _not_numbers(model: Path) -> Path:
    weights = load_file(model / "model.safetensors")
    first = next(name for name, value in weights.items() if value.is_floating_point())
    weights[first] = torch.full_like(weights[first], float("nan"))
    save_file(weights, model / "model.safetensors")
    return model


class _TouchOnLoad:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def _pickled_weights(model: Path) -> Path:
    (model / "model.safetensors").write_bytes(pickle.dumps(_TouchOnLoad(model / PROOF)))
    return model


def _checkpoint(model: Path, **changes: Any) -> Path:
    weights = load_file(model / "model.safetensors")
    content = {
        "config": yaml.safe_load((model / "config.yaml").read_text()),
        "state_dict": {f"network.{name}": value for name, value in weights.items()},
    }
    torch.save(content | changes, model / "last.ckpt")
    return model / "last.ckpt"


def _pickled_checkpoint(model: Path) -> Path:
    return _checkpoint(model, extra=_TouchOnLoad(model / PROOF))


def _circular_checkpoint(model: Path) -> Path:
    config = yaml.safe_load((model / "config.yaml").read_text())
    config["model"]["fusion"]["init_args"]["widths"] = loop = [1]
    loop.append(loop)
    return _checkpoint(model, config=config)


def _zip_bomb(model: Path) -> Path:
    path = _checkpoint(model, large=torch.zeros(50_000_000, dtype=torch.uint8))
    packed = path.with_name("packed.ckpt")
    with (
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    return packed


def _fifo(model: Path) -> Path:
    (model / "config.yaml").unlink()
    os.mkfifo(model / "config.yaml")
    return model


_REFUSED = "which is outside mtl_hcc: its code would be run"
_NO_NETWORK = "describes no network that can be built"

HOSTILE_MODELS: dict[str, HostileModel] = {
    "code as a head": HostileModel(_setting("model.heads.os", _EVIL_PART), _REFUSED),
    "code as a head's name": HostileModel(_setting("model.heads.os", EVIL), _REFUSED),
    "code as the fusion": HostileModel(_setting("model.fusion", _EVIL_PART), _REFUSED),
    "code as the stem": HostileModel(_setting(f"{_ENCODER}.stem", _EVIL_PART), _REFUSED),
    "code as the backbone": HostileModel(_setting(f"{_ENCODER}.backbone", _EVIL_PART), _REFUSED),
    "code as the aggregator": HostileModel(
        _setting(f"{_ENCODER}.aggregator", _EVIL_PART), _REFUSED
    ),
    "code as the task weighting": HostileModel(_setting("model.weighting", _EVIL_PART)),
    "code as the reader": HostileModel(_setting("data.source", _EVIL_PART), _REFUSED),
    "code as the split": HostileModel(_setting("data.split", _EVIL_PART), _REFUSED),
    "code as a plug-in of the trainer": HostileModel(_setting("trainer.plugins", [_EVIL_PART])),
    "a function as a head": HostileModel(
        _setting("model.heads.os", "mtl_hcc.command_line.entry_point.sys.exit"), _REFUSED
    ),
    "a YAML tag that runs a command": HostileModel(
        _text("model: !!python/object/apply:os.system ['touch IT_RAN']"), "it is damaged"
    ),
    "a YAML bomb": HostileModel(_text(_bomb), "references"),
    "a YAML bomb of merged keys": HostileModel(_text(_merge_bomb), "references"),
    "a YAML bomb in a text": HostileModel(_setting("model.fusion", _bomb()), "references"),
    "a thousand brackets": HostileModel(_text("model: " + "[" * 5000), "it is damaged"),
    "a config of 5 MB": HostileModel(_text(lambda: "a: " + "x" * 5_000_000), "5.0 MB are no"),
    "a list for a config": HostileModel(_text("[1, 2]"), "no settings in it"),
    "an empty config": HostileModel(_text("model: {}\ndata: {}"), "heads"),
    "a config that is a pipe": HostileModel(_fifo, "no config.yaml"),
    "a network of 4 TB": HostileModel(
        _setting("model.fusion.init_args.widths", [1_000_000, 1_000_000]), "in the checkpoint but"
    ),
    "a billion layers": HostileModel(
        _setting(f"{_ENCODER}.backbone.init_args.layers", [1_000_000_000]), _NO_NETWORK
    ),
    "a bank for a trillion patients": HostileModel(
        _setting("model.risk_bank.init_args.capacity", 1_000_000_000_000)
    ),
    "weights that are no numbers": HostileModel(_not_numbers, "no numbers"),
    "pickled weights": HostileModel(_pickled_weights, "it is damaged"),
    "a checkpoint with pickled code": HostileModel(_pickled_checkpoint, "pickled code"),
    "a checkpoint with a circular config": HostileModel(_circular_checkpoint, "more than"),
    "a checkpoint that is a zip bomb": HostileModel(_zip_bomb, "unpack to"),
}
"""Name of the attack to the attack."""

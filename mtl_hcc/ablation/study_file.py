"""The study file: which variants of a design are trained, and with which seeds."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtl_hcc.errors import ConfigError

FULL = "full"
"""Name of the design itself, which every variant is compared with."""
_KEYS = ("seeds", "variants")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_EXAMPLE = "Start from configs/ablation/ct_mtl.yaml."


@dataclass(frozen=True)
class AblationStudy:
    """What is to be trained.

    Attributes:
        path: The study file.
        seeds: Each variant is trained once with each of them.
        variants: Name to the settings that differ from the config's, as the file nests them.
    """

    path: Path
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]


def read_study(path: Path) -> AblationStudy:
    """Read and check a study file.

    ::

        seeds: [0, 1, 2]
        variants:
          no_augmentation: {data: {augmentation: []}}
          no_bank: {model.risk_bank: null}

    The settings of a variant are those of a config file, nested or dotted; ``null`` takes a part
    away. Whether they are known is found out when they are put onto a config.

    Args:
        path: The YAML file.

    Raises:
        ConfigError: naming the file, the variant and what is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise _wrong(
            f"cannot be read ({reason})", path, "a YAML file with seeds and variants"
        ) from error
    if not isinstance(content, dict):
        raise _wrong("no settings", path, "seeds and variants")
    for key in content:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            shared = f"{hint}What all variants share stands in the config."
            raise _wrong(f"unknown key {key!r}", path, "seeds and variants only", shared)
    seeds, variants = content.get("seeds", [0]), content.get("variants")
    if not _are_seeds(seeds):
        right = "a list of different whole numbers from 0 up, e.g. [0, 1, 2]"
        raise _wrong(f"seeds is {seeds!r}", f"{path}, seeds", right, "Correct the list.")
    if not isinstance(variants, dict) or not variants:
        right = "names of variants with the settings that they change"
        raise _wrong(f"variants is {variants!r}", f"{path}, variants", right)
    for name, settings in variants.items():
        _check_variant(name, settings, f"{path}, variant {name!r}")
    return AblationStudy(path, tuple(seeds), variants)


def _are_seeds(seeds: Any) -> bool:
    whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    return whole and len(seeds) == len(set(seeds)) > 0


def _check_variant(name: Any, settings: Any, where: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        found = "it cannot be the name of a folder"
        raise _wrong(found, where, "letters, digits, _ and -", "Rename the variant.")
    if name == FULL:
        found = f"{FULL!r} is the design of the config, which is always trained"
        raise _wrong(found, where, "another name", "Rename or remove the variant.")
    if not isinstance(settings, dict) or not settings:
        right = "settings as in a config file, e.g. data: {rounds: 1}"
        raise _wrong(f"its settings are {settings!r}", where, right, "Say what it changes.")


def _wrong(found: str, where: Path | str, expected: str, remedy: str = _EXAMPLE) -> ConfigError:
    return ConfigError(found, where=str(where), expected=expected, remedy=remedy)

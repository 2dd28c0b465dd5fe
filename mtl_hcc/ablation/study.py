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


@dataclass(frozen=True)
class Study:
    """What is to be trained.

    Attributes:
        path: The study file.
        seeds: Each variant is trained once with each of them.
        variants: Name to the settings that differ from the config's, as the file nests them.
    """

    path: Path
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]


def read_study(path: Path) -> Study:
    """Read and check a study file.

    ::

        seeds: [0, 1, 2]
        variants:
          one_round: {data: {rounds: 1}}
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
        raise ConfigError(
            f"cannot be read ({reason})",
            where=str(path),
            expected="a YAML file with seeds and variants",
            remedy="Start from configs/ablation/ct_mtl.yaml.",
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            "no settings",
            where=str(path),
            expected="seeds and variants",
            remedy="Start from configs/ablation/ct_mtl.yaml.",
        )
    for key in content:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise ConfigError(
                f"unknown key {key!r}",
                where=str(path),
                expected="seeds and variants only",
                remedy=f"{hint}What all variants share stands in the config.",
            )
    return Study(path, _seeds(content, path), _variants(content, path))


def _seeds(content: dict[str, Any], path: Path) -> tuple[int, ...]:
    seeds = content.get("seeds", [0])
    right = (
        isinstance(seeds, list)
        and len(seeds) > 0
        and all(type(seed) is int and seed >= 0 for seed in seeds)
        and len(set(seeds)) == len(seeds)
    )
    if not right:
        raise ConfigError(
            f"seeds is {seeds!r}",
            where=f"{path}, seeds",
            expected="a list of different whole numbers from 0 up, e.g. [0, 1, 2]",
            remedy="Correct the list.",
        )
    return tuple(seeds)


def _variants(content: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    variants = content.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise ConfigError(
            f"variants is {variants!r}",
            where=f"{path}, variants",
            expected="names of variants with the settings that they change",
            remedy="Start from configs/ablation/ct_mtl.yaml.",
        )
    for name, settings in variants.items():
        where = f"{path}, variant {name!r}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(
                "it cannot be the name of a folder",
                where=where,
                expected="letters, digits, _ and -",
                remedy="Rename the variant.",
            )
        if name == FULL:
            raise ConfigError(
                f"{FULL!r} is the design of the config, which is always trained",
                where=where,
                remedy="Rename or remove the variant.",
            )
        if not isinstance(settings, dict) or not settings:
            raise ConfigError(
                f"its settings are {settings!r}",
                where=where,
                expected="settings as in a config file, e.g. data: {rounds: 1}",
                remedy="Say what the variant changes.",
            )
    return variants

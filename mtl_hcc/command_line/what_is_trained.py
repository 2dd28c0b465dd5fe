"""What a command line trains: a network (`model`), or an estimator on tables (`estimator`).

The schema of the config depends on it, so it is looked up before the parser is made.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtl_hcc.errors import ConfigError

NETWORK_KEYS = ("model", "trainer")
TABLE_KEY = "estimator"


def trains_table(arguments: Sequence[str]) -> bool:
    """Tell whether flags and the files they name speak of an estimator on tables.

    Args:
        arguments: Flags of the command line.

    Raises:
        ConfigError: They speak of both, or a file of neither.
    """
    files = config_files(arguments)
    keys = {key: f"--{key}" for key in _flag_keys(arguments)}
    for file in files:
        keys |= dict.fromkeys(_file_keys(file), file)
    network = [key for key in NETWORK_KEYS if key in keys]
    if TABLE_KEY in keys and network:
        raise ConfigError(
            f"both estimator and {' and '.join(network)} are set",
            where=", ".join(dict.fromkeys([keys[TABLE_KEY], *(keys[key] for key in network)])),
            expected="estimator for a model on tables, or model and trainer for a network",
            remedy=f"Remove one: an estimator has no {network[0]}.",
        )
    if files and not {TABLE_KEY, "model"} & set(keys) and not _asks_for_help(arguments):
        raise ConfigError(
            f"neither model nor {TABLE_KEY} is set",
            where=", ".join(files),
            expected="model and trainer for a network, or estimator for a model on tables",
            remedy="Start from one of configs/, e.g. configs/ct_mtl.yaml or "
            "configs/clinical_cox.yaml.",
        )
    return TABLE_KEY in keys


def config_files(arguments: Sequence[str]) -> list[str]:
    """Return what ``--config`` names, in the order in which it is given.

    Args:
        arguments: Flags of the command line.
    """
    files = []
    for flag, value in itertools.pairwise([*arguments, ""]):
        if flag.startswith("--config="):
            files.append(flag.removeprefix("--config="))
        elif flag == "--config" and value:
            files.append(value)
    return files


def _flag_keys(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the sections that flags set, e.g. ``trainer`` of ``--trainer.max_epochs``."""
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument.removeprefix("--").partition("=")
            if value not in ("null", "None"):
                yield name.partition(".")[0]


def given_configs(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the configs of a command line say, in their order; unreadable ones are left out.

    Args:
        arguments: Flags of the command line.
    """
    contents = [_content(file) for file in config_files(arguments)]
    return [content for content in contents if isinstance(content, dict)]


def _content(file: str) -> Any:
    """Return the content of a YAML file, or of a YAML text; None where it cannot be read."""
    try:
        path = Path(file)
        text = path.read_text(encoding="utf-8") if path.is_file() else file
        return yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None


def _file_keys(file: str) -> list[str]:
    """Return the sections that a YAML sets; of what cannot be read the parser says why."""
    content = _content(file)
    if not isinstance(content, dict):
        return ["model"]
    return [str(key).partition(".")[0] for key, value in content.items() if value is not None]


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return any(argument in ("--help", "-h") for argument in arguments)

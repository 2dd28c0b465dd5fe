"""The parser: read, check and save a config, and rebuild the parts from one."""

import platform
import re
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from pytorch_lightning import Trainer

from mtl_hcc.command_line.early_answer import TRAINER_SKIP
from mtl_hcc.command_line.fit_settings import FitSettings
from mtl_hcc.command_line.matching_parts import check_parts
from mtl_hcc.command_line.misspelling import explained
from mtl_hcc.command_line.named_parts import check_names_kept
from mtl_hcc.command_line.plain_yaml import plain_yaml
from mtl_hcc.command_line.what_is_trained import config_files, given_configs, trains_table
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.network_covariates import covariate_names
from mtl_hcc.errors import ConfigError
from mtl_hcc.estimators import TableEstimator
from mtl_hcc.imaging.view import View, Zone
from mtl_hcc.training.module import MultiTaskModule

_VERSIONS = (
    "mtl_hcc",
    "torch",
    "pytorch-lightning",
    "monai",
    "torchsurv",
    "torchio",
    "SimpleITK",
    "scikit-learn",
    "scikit-survival",
    "skops",
    "numpy",
    "pandas",
)


def parser_for(arguments: Sequence[str] | None, description: str, *, prog: str) -> ArgumentParser:
    """Return the parser of what a command line trains: a network, or an estimator on tables.

    Args:
        arguments: Flags; ``None`` takes those of the command line.
        description: First lines of ``--help``.
        prog: Command in usage lines.

    Raises:
        ConfigError: The config speaks of both, or of neither.
    """
    given = sys.argv[1:] if arguments is None else arguments
    return build_parser(description, prog=prog, table=trains_table(given))


def build_parser(
    description: str, *, prog: str | None = None, table: bool = False
) -> ArgumentParser:
    """Return the parser whose schema are the constructors of what is trained, and of its data.

    Args:
        description: First lines of ``--help``.
        prog: Command in usage lines.
        table: Whether an estimator on tables is trained, else a network by a trainer.
    """
    parser = ArgumentParser(
        prog=prog, description=description, allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument("--config", action="config", help="YAML file; flags beat what it says.")
    parser.add_class_arguments(FitSettings)
    if table:
        parser.add_argument("--estimator", type=TableEstimator, required=True)
        parser.add_class_arguments(CohortDataModule, "data")
        parser.link_arguments("seed", "data.seed")
        return parser
    parser.add_class_arguments(MultiTaskModule, "model")
    parser.add_class_arguments(CohortDataModule, "data")
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, skip=TRAINER_SKIP)
    parser.link_arguments("seed", "model.seed")
    parser.link_arguments("seed", "data.seed")
    read = ("data.covariates", "data.measured")
    parser.link_arguments(read, "model.covariates", compute_fn=covariate_names)
    return parser


def read_config(parser: ArgumentParser, arguments: Sequence[str] | None = None) -> Namespace:
    """Parse flags and the YAML files that they name.

    Args:
        parser: From :func:`build_parser`.
        arguments: Flags; ``None`` takes those of the command line.

    Raises:
        ConfigError: naming the key or flag, and the closest known one.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    files = ", ".join(config_files(given))
    try:
        config: Namespace = parser.parse_args(given)
    except ArgumentError as error:
        raise explained(parser, str(error), where=files) from error
    _check_empty(parser, config)
    check_names_kept(given_configs(given), where=files)
    return config


def _check_empty(parser: ArgumentParser, config: Namespace) -> None:
    """Raise for a setting that is empty (null): the parser lets it pass where a value is needed."""
    for name, default in parser.get_defaults().items():
        if default is not None and name in config and config[name] is None:
            raise ConfigError(
                f"{name} is empty",
                where="config",
                expected=f"a value, e.g. its default: {default}",
                remedy="Give one, or leave the setting out.",
            )


def config_from_dict(parser: ArgumentParser, values: Mapping[str, Any]) -> Namespace:
    """Check plain values, as :func:`plain_config` gives them, and return the config.

    Raises:
        ConfigError: where the values do not fit this version of the package.
    """
    try:
        config: Namespace = parser.parse_object(deepcopy(dict(values)))  # it changes its input
    except ArgumentError as error:
        raise explained(parser, str(error)) from error
    return config


def plain_config(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    """Return the complete config as dict, list, str and number: what a checkpoint carries."""
    config = config.clone()
    recipe = config.get("data.preparation")
    if recipe is not None:  # the parser cannot write defaults that are objects
        for name, value in {"views": recipe.views, "zones": recipe.zones}.items():
            recipe[name] = {key: _as_settings(part) for key, part in value.items()}
    values: dict[str, Any] = yaml.safe_load(
        parser.dump(config, skip_link_targets=True, skip_unset=False)  # null may not be the default
    )
    values.pop("config", None)
    return values


def _as_settings(part: Any) -> Any:
    """Return a view or zone that is a default of the recipe as the settings that it was made of."""
    if isinstance(part, View):
        return part.as_dict()
    return asdict(part) if isinstance(part, Zone) else part


def settled_config(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    """Return the plain values that a config keeps when they are written, read and written again.

    The first reading may leave empty ``init_args``, which the second drops.
    """
    return plain_config(parser, config_from_dict(parser, plain_config(parser, config)))


def config_text(values: Mapping[str, Any]) -> str:
    """Return ``config.yaml``: the versions as comments, then every setting."""
    lines = [f"# python {platform.python_version()}"]
    lines += [f"# {package} {version(package)}" for package in _VERSIONS]
    return "\n".join(lines) + "\n" + plain_yaml(values)


def instantiate(parser: ArgumentParser, config: Namespace) -> Namespace:
    """Build model and data of a config; ``trainer`` stays a namespace of arguments.

    Raises:
        ConfigError: where parts do not fit together.
    """
    parts = _instantiate(parser, config)
    if "model" in parts:
        check_parts(parts.model, parts.data)
    elif parts.data.covariates or parts.data.measured:
        name = "data.covariates" if parts.data.covariates else "data.measured"
        features = (
            "{class_path: ClinicalColumns, init_args: {columns: ...}}"
            if parts.data.covariates
            else "{class_path: RegionStatistics}"
        )
        raise ConfigError(
            f"{name} is set, which networks read",
            where=name,
            expected="the columns of an estimator under estimator.features",
            remedy=f"Name them there: features: {features}.",
        )
    return parts


def instantiate_data(config: Namespace) -> CohortDataModule:
    """Build the data of a config alone: preparing a cohort needs no network.

    Args:
        config: As :func:`read_config` or :func:`config_from_dict` gives it, with its seed.

    Raises:
        ConfigError: where the settings under ``data`` do not fit together.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(CohortDataModule, "data")
    data: CohortDataModule = _instantiate(parser, Namespace(data=config.data)).data
    return data


def _instantiate(parser: ArgumentParser, config: Namespace) -> Namespace:
    """Build the classes of a parser, with a message where they refuse their settings."""
    try:
        parts: Namespace = parser.instantiate(config)
    # Torch says of some sizes that it cannot make such layers by a RuntimeError.
    except (ValueError, RuntimeError, ArithmeticError) as error:
        found = _plain_reason(str(error))
        raise ConfigError(found, where="config", remedy="Correct the settings.") from error
    except TypeError as error:
        raise ConfigError(
            f"a part cannot be made of its settings ({error})",
            where="config",
            expected="a value for every setting that is named",
            remedy="Look for one that is empty (null), and give it or leave it out.",
        ) from error
    return parts


def _plain_reason(message: str) -> str:
    """Return what was wrong, without the parser's own words about the types it tried."""
    reasons = re.findall(r"^ *- (?!Expected a <class)(.+)$", message, flags=re.MULTILINE)
    return " ".join(reasons) or message

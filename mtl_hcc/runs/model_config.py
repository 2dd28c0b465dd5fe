"""The config that comes with a model: it may set values, never run code or say where to write."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jsonargparse import Namespace, set_parsing_settings
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.command_line.config import build_parser, config_from_dict, instantiate
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import CheckpointError, ConfigError, TableError
from mtl_hcc.runs.weights import check_finite, check_fits
from mtl_hcc.training.module import MultiTaskModule

_OF_TRAINING = {"risk_bank", "target_decay", "weight_average", "weighting"}
"""Parts of a model that prediction does not need."""
_OF_THIS_MACHINE = {"store", "loading", "preparing"}
"""Settings of the machine that trained."""
_MOST_WEIGHTS = 20_000
"""Tensors of a model; DenseNet-121 has 364."""


def build_model(
    values: Mapping[str, Any], weights: Mapping[str, Tensor], *, trusted: Sequence[str], where: str
) -> MultiTaskModule:
    """Return the model that a config describes, without its weights.

    It is first built without memory: a config that asks for other shapes than the file holds is
    refused before anything large is made.

    Args:
        values: The config, as plain values.
        weights: Names and shapes that the network must have.
        trusted: Packages besides mtl_hcc whose classes the config may name: their code is run.
        where: For messages.

    Raises:
        ConfigError: The config does not fit this version, or names classes of other packages.
        CheckpointError: The weights do not fit the config.
    """
    try:
        with torch.device("meta"), _bounded(where):
            shape_only = _instantiate(values, {}, trusted=trusted).model
        check_fits(shape_only.network.state_dict(), weights, where=where)
        check_finite(weights, where=where)
        module: MultiTaskModule = _instantiate(values, {}, trusted=trusted).model
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"its config describes no network that can be built ({error})",
            where=where,
            expected="the config that the model was trained with",
            remedy="Copy the model folder again, or ask for the original.",
        ) from error
    return module


def build_data(
    values: Mapping[str, Any],
    *,
    store: str,
    cohort: str | None,
    source: CohortSource | None = None,
    trusted: Sequence[str] = (),
    **settings: Any,
) -> CohortDataModule:
    """Return the data of a cohort, prepared and encoded as for the model.

    Where to write is the caller's business: the config's own store, and what its reader would
    write, are passed over.

    Args:
        values: The config that came with the model, as plain values.
        store: Folder of the prepared store.
        cohort: The cohort; ``None`` makes the config's phantom in the store.
        source: How the cohort is read; by default as the training cohort was.
        trusted: Packages besides mtl_hcc whose classes the config may name.
        **settings: More settings under ``data``.

    Raises:
        ConfigError: as :func:`build_model`.
    """
    changes = {"store": store, "cohort": cohort, "fold": 0, **settings}
    datamodule: CohortDataModule = _instantiate(values, changes, trusted=trusted).data
    datamodule.source = source or datamodule.source
    return datamodule


def prepare_data(datamodule: CohortDataModule, *, own_reader: bool) -> None:
    """Prepare a cohort for a model; a reader that came with the model may not fit the cohort.

    Args:
        datamodule: From :func:`build_data`.
        own_reader: Whether the user named the reader (``--source``).

    Raises:
        TableError: as the reader raises it, and if the model brought the reader, how to name one.
    """
    reader = datamodule.source
    try:
        datamodule.prepare_data()
    except TableError as error:
        if own_reader or reader is None or not getattr(reader, "columns", None):
            raise
        kind = type(reader).__name__
        raise TableError(
            error.found,
            where=error.where,
            expected=error.expected,
            remedy="The table was read with the names of the model's own cohort. If this cohort "
            f"has other names, add --source {kind} (for names as in the README) and, for your "
            f'own, --source.columns \'{{"os_days": "YOUR COLUMN"}}\'',
        ) from error


def _instantiate(
    values: Mapping[str, Any], data: Mapping[str, Any], *, trusted: Sequence[str]
) -> Namespace:
    """Build model and data, importing from mtl_hcc and the trusted packages only."""
    parser = build_parser("", table="estimator" in values)
    kept = _kept(values)
    kept["data"] |= dict(data)
    with only_imports_of("mtl_hcc", *trusted):
        try:
            return instantiate(parser, config_from_dict(parser, kept))
        except ConfigError as error:
            refused = re.search(r"Importing '([\w.]+)' is not allowed", str(error))
            if refused is None:
                raise
            raise ConfigError(
                f"it names {refused[1]}, which is outside mtl_hcc: its code would be run",
                where="the config that came with the model",
                expected="classes of mtl_hcc only",
                remedy="Look at that code first. If you trust it, name its package: "
                f"--trust {refused[1].split('.')[0]}",
            ) from error


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what prediction needs of a config: no trainer, no run, no place to write."""
    sections: dict[str, dict[str, Any]] = {}
    trained = "estimator" if "estimator" in values else "model"
    for name, dropped in ((trained, _OF_TRAINING), ("data", _OF_THIS_MACHINE)):
        section = values.get(name)
        if not isinstance(section, dict):
            raise ConfigError(
                f"no settings under {name}",
                where="the config that came with the model",
                remedy="Copy the model folder again.",
            )
        sections[name] = {key: value for key, value in section.items() if key not in dropped}
    data = sections["data"]
    data["store"] = ""  # required; every caller names its own
    if isinstance(reader := data.get("source"), dict):
        arguments = reader.get("init_args")
        if isinstance(arguments, dict):
            arguments = {key: value for key, value in arguments.items() if key != "output"}
        data["source"] = {**reader, "init_args": arguments or {}}
    return {"seed": values.get("seed", 0), **sections}


@contextmanager
def only_imports_of(*packages: str) -> Iterator[None]:
    """Let the parser import classes of some packages only, for as long as the context lasts.

    Args:
        packages: Names of packages; everything else that a value names is refused unimported.
    """
    # jsonargparse has a setting for this, and no public way back from it. A version in which the
    # private name is gone ends here with an error, before anything is parsed.
    from jsonargparse._common import parsing_settings

    names = ("import_path_verdicts", "import_paths_enforced")
    before = {name: parsing_settings[name] for name in names}
    try:
        try:
            set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=list(packages))
        except ValueError as error:
            raise ConfigError(
                str(error),
                where="--trust",
                expected="names of packages",
                remedy="Name the package that holds the model's own classes.",
            ) from error
        yield
    finally:
        parsing_settings.update(before)


@contextmanager
def _bounded(where: str) -> Iterator[None]:
    """Stop a model that would never be finished, e.g. one of a billion layers."""
    made = 0

    def count(module: nn.Module, name: str, weight: nn.Parameter | None) -> None:
        nonlocal made
        made += 1
        if made > _MOST_WEIGHTS:
            raise CheckpointError(
                f"its config describes no network that can be built (more than {_MOST_WEIGHTS} "
                "weight tensors)",
                where=where,
                remedy="Copy the model folder again, or ask for the original.",
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()

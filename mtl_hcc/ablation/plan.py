"""From a config and a study to the runs, every one of them checked before the first begins."""

import difflib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from mtl_hcc.ablation.planned_run import PlannedRun
from mtl_hcc.ablation.study import FULL, Study
from mtl_hcc.command_line.config import config_from_dict, instantiate, plain_config, read_config
from mtl_hcc.command_line.fit_settings import wandb_mode
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import ConfigError

SAME_FOR_ALL = {
    "seed": "the seeds of the study",
    "run": "a folder of its own for each run",
    "ckpt_path": "unfinished runs, which go on by themselves",
    "baselines": "none: they do not depend on the variant",
    "data.store": "a store for each preparation",
    "data.cohort": "the same patients for all variants",
    "data.source": "the same patients for all variants",
    "data.phantom": "the same patients for all variants",
    "data.split": "the same folds for all variants",
    "data.fold": "the same folds for all variants",
}
"""Settings that a variant may not change, and what stands instead."""


@dataclass(frozen=True)
class Plan:
    """A study put onto a config.

    Attributes:
        study: The study.
        run: Run folder of the full design; gets the table of the study.
        runs: All runs, seed by seed, the full design first.
        bootstraps: Resamples of the patients behind each interval of the table.
    """

    study: Study
    run: Path
    runs: list[PlannedRun]
    bootstraps: int

    @property
    def variants(self) -> list[str]:
        """Names of the designs, the full one first."""
        return [FULL, *self.study.variants]

    def choose(self, names: Sequence[str] | None) -> list[PlannedRun]:
        """Return the runs of some variants, or single runs by their names; all by default.

        Raises:
            ConfigError: a name is neither.
        """
        if not names:
            return self.runs
        known = [*self.variants, *(run.name for run in self.runs)]
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=2)
                hint = f"Did you mean {' or '.join(close)}? " if close else ""
                raise ConfigError(
                    f"no variant or run {name!r}",
                    where="--only",
                    expected=f"one of {', '.join(self.variants)}, or one run of them",
                    remedy=f"{hint}--list shows all.",
                )
        return [run for run in self.runs if {run.variant, run.name} & {*names}]


def plan_runs(parser: ArgumentParser, flags: Sequence[str], study: Study) -> Plan:
    """Return the runs of a study.

    Args:
        parser: From ``config.build_parser``.
        flags: Of `fit`: ``--config`` and what beats it, for all variants.
        study: The variants.

    Raises:
        ConfigError: naming the variant, the setting, and the closest known one.
    """
    config = read_config(parser, flags)
    config.wandb = wandb_mode(config.wandb, flags)  # the runs take it over as it is
    full = _settled(parser, config)
    if full["ckpt_path"] is not None:
        raise ConfigError(
            f"ckpt_path is {full['ckpt_path']}",
            where="--ckpt_path",
            remedy="Leave it out: give the same command again, and unfinished runs go on.",
        )
    full["baselines"] = {}
    cohort = _built(parser, full, "").cohort_root
    designs = {FULL: (full, "")}
    for name, settings in study.variants.items():
        where = f"{study.path}, variant {name!r}"
        changed = _with_settings(parser, flags, settings, where)
        changed["baselines"] = {}
        _refuse_other_patients(full, changed, where)
        if changed == full:
            raise ConfigError(
                f"it changes nothing: {_in_words(settings)} is what the config says",
                where=where,
                remedy="Remove the variant, or correct its settings.",
            )
        _built(parser, changed, where)
        designs[name] = (_on_same_folds(full, changed, name, cohort), _in_words(settings))
    runs = [
        _run(values, change, name, seed, study)
        for seed in study.seeds
        for name, (values, change) in designs.items()
    ]
    return Plan(study, Path(full["run"]), runs, full["bootstraps"])


def _with_settings(
    parser: ArgumentParser, flags: Sequence[str], settings: dict[str, Any], where: str
) -> dict[str, Any]:
    """Return the complete config of a variant, its settings read like a config file."""
    text = yaml.safe_dump(settings, sort_keys=False)
    try:
        config = read_config(parser, [*flags, "--config", text])
    except ConfigError as error:
        raise _in_variant(error, where) from error
    return _settled(parser, config)


def _settled(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    """Return plain values that stay the same when they are read again, as a run's process does.

    The first reading may leave empty ``init_args``, which the second drops.
    """
    return plain_config(parser, config_from_dict(parser, plain_config(parser, config)))


def _built(parser: ArgumentParser, values: dict[str, Any], where: str) -> CohortDataModule:
    """Build model and data once, so that what does not fit together is found now."""
    try:
        parts = instantiate(parser, config_from_dict(parser, values))
    except ConfigError as error:
        raise _in_variant(error, where) from error
    data: CohortDataModule = parts.data
    return data


def _in_variant(error: ConfigError, where: str) -> ConfigError:
    """Return the error with the variant's name in front."""
    if not where:
        return error
    setting = error.where if error.where.startswith(("model", "data", "trainer")) else ""
    return ConfigError(
        error.found,
        where=f"{where}, {setting}" if setting else where,
        expected=error.expected,
        remedy=error.remedy,
    )


def _refuse_other_patients(full: dict[str, Any], changed: dict[str, Any], where: str) -> None:
    """Raise when a variant would not be comparable with the full design."""
    for key, instead in SAME_FOR_ALL.items():
        section, _, name = key.rpartition(".")
        one, other = (values[section] if section else values for values in (full, changed))
        if one[name] != other[name]:
            raise ConfigError(
                f"a variant may not change {key}",
                where=where,
                expected=instead,
                remedy=f"Take {key} out of the variant; what all share stands in the config.",
            )


def _on_same_folds(
    full: dict[str, Any], changed: dict[str, Any], name: str, cohort: Path
) -> dict[str, Any]:
    """Return a variant that shares the store, or has one of its own with the same splits."""
    if changed["data"]["preparation"] == full["data"]["preparation"]:
        return changed
    values = deepcopy(changed)
    store = full["data"]["store"]
    values["data"]["store"] = f"{store}_{name}"
    values["data"]["cohort"] = str(cohort)  # the phantom, too, is made once
    path = str(Path(store) / "splits.csv")
    values["data"]["split"] = {
        "class_path": "mtl_hcc.data.splits.SplitFile",
        "init_args": {"path": path},
    }
    return values


def _run(values: dict[str, Any], change: str, name: str, seed: int, study: Study) -> PlannedRun:
    """Return one run, with settings of its own."""
    run = PlannedRun(name, seed, Path(values["run"]) / "ablation", deepcopy(values), change)
    run.values.update(
        seed=seed,
        run=str(run.folder),
        bootstraps=0,  # intervals are those of the study's table
        wandb_group=values["wandb_group"] or f"{Path(values['run']).name}-{study.path.stem}",
    )
    return run


def _in_words(settings: dict[str, Any], prefix: str = "") -> str:
    """Return settings on one line, e.g. ``data.rounds: 1, model.risk_bank: null``."""
    parts = []
    for key, value in settings.items():
        if isinstance(value, dict) and value and "class_path" not in value:
            parts.append(_in_words(value, f"{prefix}{key}."))
            continue
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
        parts.append(f"{prefix}{key}: {text.removesuffix('...' + chr(10)).strip()}")
    return ", ".join(parts)

"""From a config and a study to the runs, every one of them checked before the first begins."""

import difflib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from mtl_hcc.ablation.study_file import FULL, AblationStudy
from mtl_hcc.command_line.config import config_from_dict, instantiate, read_config, settled_config
from mtl_hcc.command_line.fit_settings import wandb_mode
from mtl_hcc.command_line.named_parts import completed
from mtl_hcc.errors import ConfigError
from mtl_hcc.runs.run_many import PlannedRun

SAME_FOR_ALL = {
    "seed": "the seeds of the study",
    "run": "a folder of its own for each run",
    "ckpt_path": "unfinished runs, which go on by themselves",
    "repeat": "never: what is finished is kept",
    "baselines": "none: they do not depend on the variant",
    "strong_baselines": "none: they do not depend on the variant",
    "data.store": "a store for each preparation",
    "data.cohort": "the same patients for all variants",
    "data.source": "the same patients for all variants",
    "data.phantom": "the same patients for all variants",
    "data.split": "the same folds for all variants",
    "data.fold": "the same folds for all variants",
}
"""Settings that a variant may not change, and what stands instead."""


@dataclass(frozen=True)
class VariantRun(PlannedRun):
    """One variant with one seed.

    Attributes:
        variant: Name of the variant.
        seed: Its seed.
        change: What differs from the full design, in words.
    """

    variant: str
    seed: int
    change: str


@dataclass(frozen=True)
class Ablation:
    """A study put onto a config.

    Attributes:
        folder: Run folder of the full design; gets the table of the study.
        runs: All runs, seed by seed, the full design first.
        bootstraps: Resamples of the patients behind each interval of the table.
    """

    folder: Path
    runs: list[VariantRun]
    bootstraps: int

    def choose(self, names: Sequence[str] | None) -> list[VariantRun]:
        """Return the runs of some variants, or single runs by their names; all by default.

        Raises:
            ConfigError: a name is neither.
        """
        variants = list(dict.fromkeys(run.variant for run in self.runs))
        known = [*variants, *(run.name for run in self.runs)]
        for name in names or ():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=2)
                hint = f"Did you mean {' or '.join(close)}? " if close else ""
                raise ConfigError(
                    f"no variant or run {name!r}",
                    where="--only",
                    expected=f"one of {', '.join(variants)}, or one run of them",
                    remedy=f"{hint}--list shows all.",
                )
        return [run for run in self.runs if not names or {run.variant, run.name} & {*names}]


def plan_ablation(parser: ArgumentParser, flags: Sequence[str], study: AblationStudy) -> Ablation:
    """Return the runs of a study.

    Args:
        parser: From ``config.build_parser``.
        flags: Of `fit`: ``--config`` and what beats it, for all variants.
        study: The variants.

    Raises:
        ConfigError: naming the variant, the setting, and the closest known one.
    """
    full = _planned(parser, flags)
    if full["ckpt_path"] is not None:
        raise ConfigError(
            f"ckpt_path is {full['ckpt_path']}",
            where="--ckpt_path",
            remedy="Leave it out: give the same command again, and unfinished runs go on.",
        )
    cohort = instantiate(parser, config_from_dict(parser, full)).data.cohort_root
    designs = {FULL: (full, "")}
    for name, settings in study.variants.items():
        where, change = f"{study.path}, variant {name!r}", _in_words(settings)
        try:
            text = yaml.safe_dump(completed(settings, full), sort_keys=False)
            changed = _planned(parser, [*flags, "--config", text])
            _refuse_other_patients(full, changed)
            if changed == full:
                raise ConfigError(
                    f"it changes nothing: {change} is what the config says",
                    remedy="Remove the variant, or correct its settings.",
                )
            instantiate(parser, config_from_dict(parser, changed))  # do the parts fit together?
        except ConfigError as error:
            raise _in_variant(error, where) from error
        designs[name] = (_on_same_folds(full, changed, name, cohort), change)
    runs = [
        _run(values, change, name, seed, study)
        for seed in study.seeds
        for name, (values, change) in designs.items()
    ]
    return Ablation(Path(full["run"]), runs, full["bootstraps"])


def _planned(parser: ArgumentParser, flags: Sequence[str]) -> dict[str, Any]:
    """Return the complete config of a design; a variant's settings come as one more config."""
    config = read_config(parser, flags)
    config.wandb = wandb_mode(config.wandb, flags)  # the runs take it over as it is
    return settled_config(parser, config) | {"baselines": {}, "strong_baselines": False}


def _in_variant(error: ConfigError, where: str) -> ConfigError:
    """Return the error with the variant's name in front."""
    setting = error.where if error.where.startswith(("model", "data", "trainer")) else ""
    return ConfigError(
        error.found,
        where=f"{where}, {setting}" if setting else where,
        expected=error.expected,
        remedy=error.remedy,
    )


def _refuse_other_patients(full: dict[str, Any], changed: dict[str, Any]) -> None:
    """Raise when a variant would not be comparable with the full design."""
    for key, instead in SAME_FOR_ALL.items():
        section, _, name = key.rpartition(".")
        one, other = (values[section] if section else values for values in (full, changed))
        if one[name] != other[name]:
            raise ConfigError(
                f"a variant may not change {key}",
                expected=instead,
                remedy=f"Take {key} out of the variant; what all share stands in the config.",
            )


def _on_same_folds(
    full: dict[str, Any], changed: dict[str, Any], name: str, cohort: Path
) -> dict[str, Any]:
    """Return a variant that shares the store, or has one of its own with the same splits."""
    if changed["data"]["preparation"] == full["data"]["preparation"]:
        return changed
    store = full["data"]["store"]
    of_full = {
        "class_path": "mtl_hcc.data.splits.SplitFile",
        "init_args": {"path": str(Path(store) / "splits.csv")},
    }
    # The cohort is named because the phantom, too, is made once.
    own = {"store": f"{store}_{name}", "cohort": str(cohort), "split": of_full}
    return changed | {"data": changed["data"] | own}


def _run(
    values: dict[str, Any], change: str, variant: str, seed: int, study: AblationStudy
) -> VariantRun:
    """Return one run, with settings of its own."""
    name, folder = f"{variant}_seed{seed}", Path(values["run"])
    own = {
        "seed": seed,
        "run": str(folder / "ablation" / name),
        "bootstraps": 0,  # intervals are those of the study's table
        "wandb_group": values["wandb_group"] or f"{folder.name}-{study.path.stem}",
    }
    return VariantRun(name, deepcopy(values) | own, variant, seed, change)


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

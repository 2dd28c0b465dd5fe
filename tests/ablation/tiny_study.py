"""A study of a clinical design that trains in a second: what the tests of ablation share."""

from pathlib import Path
from typing import Any

import yaml
from tiny_training import tiny_config

VARIANTS: dict[str, Any] = {
    "no_bank": {"model": {"risk_bank": None}},
    "mvi_alone": {
        "model.heads": {"mvi": {"class_path": "ClassHead", "init_args": {"column": "mvi"}}},
        "model.risk_bank": None,
        "data.endpoints": ["mvi"],
    },
}


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


def write_study(folder: Path, variants: Any = None, *, seeds: Any = (0, 1)) -> Path:
    """Write a study file and return its path."""
    path = folder / "study.yaml"
    content = {"seeds": list(seeds), "variants": VARIANTS if variants is None else variants}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def clinical_flags(folder: Path, *flags: str) -> list[str]:
    """Return flags of a brief clinical run in ``folder``."""
    tiny_config(folder)  # writes config and cohort
    brief = ["--trainer.max_epochs", "2", "--bootstraps", "30"]
    return ["--config", str(folder / "config.yaml"), "--run", str(folder / "run"), *brief, *flags]

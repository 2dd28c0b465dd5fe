"""Runs of a clinical design that trains in a second, without a process for each."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_training import tiny_config

from mtl_hcc import fit
from mtl_hcc.runs import fit_process

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


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let runs train in this process, and return the list that gets their names."""
    started: list[str] = []

    def run(command: list[str], *, stdout: Any, env: dict[str, str], **_: Any) -> Any:
        assert command[1:4] == ["-m", "mtl_hcc.fit", "--config"]
        started.append(Path(command[4]).stem)
        assert os.environ.items() <= env.items()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stdout):
            try:
                code = fit.main(command[3:])
            except PowerCutError:
                code = -9
            except SystemExit:  # Lightning's answer to Ctrl-C, which reaches every process
                raise KeyboardInterrupt from None
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(fit_process.subprocess, "run", run)
    return started

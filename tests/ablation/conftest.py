"""Plans of a small study, and runs without a process for each."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser
from tiny_study import PowerCutError, clinical_flags, write_study

from mtl_hcc.ablation import launch, one_run
from mtl_hcc.ablation.plan import Plan, plan_runs
from mtl_hcc.ablation.study import read_study
from mtl_hcc.command_line.config import build_parser


@pytest.fixture
def parser() -> ArgumentParser:
    """Return the parser of `fit`."""
    return build_parser("")


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., Plan]:
    """Return a maker of plans of the clinical study in the test's folder."""

    def make(variants: Any = None, *flags: str, seeds: Sequence[int] = (0, 1)) -> Plan:
        study = read_study(write_study(tmp_path, variants, seeds=seeds))
        return plan_runs(build_parser(""), clinical_flags(tmp_path, *flags), study)

    return make


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let runs train in this process, and return the list that gets their names."""
    started: list[str] = []

    def run(command: list[str], *, stdout: Any, env: dict[str, str], **_: Any) -> Any:
        assert command[1:4] == ["-m", "mtl_hcc.ablation.one_run", "--config"]
        started.append(Path(command[4]).stem)
        assert os.environ.items() <= env.items()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stdout):
            try:
                code = one_run.main(command[3:])
            except PowerCutError:
                code = -9
            except SystemExit:  # Lightning's answer to Ctrl-C, which reaches every process
                raise KeyboardInterrupt from None
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(launch.subprocess, "run", run)
    return started

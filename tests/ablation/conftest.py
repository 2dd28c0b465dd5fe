"""Plans of a small study, and runs without a process for each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser
from tiny_study import clinical_flags, in_process, write_study

from mtl_hcc.ablation.study_file import read_study
from mtl_hcc.ablation.variants import Ablation, plan_ablation
from mtl_hcc.command_line.config import build_parser

__all__ = ["in_process"]


@pytest.fixture
def parser() -> ArgumentParser:
    """Return the parser of `fit`."""
    return build_parser("")


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., Ablation]:
    """Return a maker of plans of the clinical study in the test's folder."""

    def make(variants: Any = None, *flags: str, seeds: Sequence[int] = (0, 1)) -> Ablation:
        study = read_study(write_study(tmp_path, variants, seeds=seeds))
        return plan_ablation(build_parser(""), clinical_flags(tmp_path, *flags), study)

    return make

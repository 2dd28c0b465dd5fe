"""The real commands on a tiny, coarse phantom: what the tests of whole runs share."""

import contextlib
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

CONFIGS = Path(__file__).parents[1] / "configs"
COARSE = [
    *("--data.preparation.views.tumor.spacing_mm", "6"),
    *("--data.preparation.views.tumor.field_of_view_mm", "96"),
    *("--data.preparing.workers", "1"),
    *("--data.batch_size", "8"),
    *("--data.prediction_rotations", "1"),  # explained as predicted: as they are
]
"""Flags that make the shipped CT config quick enough for a test."""
BRIEF = [
    *("--trainer.max_epochs", "2"),
    *("--trainer.accelerator", "cpu"),
    *("--bootstraps", "20"),
]
PHANTOM = '{"I": 12, "II": 6, "VI": 6}'
QUIET = ["--wandb", "disabled", "--trainer.enable_progress_bar", "false"]


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class PhantomRun:
    """A finished run on the tiny phantom.

    Attributes:
        run: The run folder.
        store: The prepared store.
        cohort: The phantom's cohort folder.
        printed: What the command printed.
    """

    run: Path
    store: Path
    cohort: Path
    printed: str

    def table(self, name: str) -> pd.DataFrame:
        """Return a CSV file of the run folder."""
        return pd.read_csv(self.run / name, dtype={"patient_id": str})


def call(main: Callable[[Sequence[str]], int], *arguments: str | Path) -> Finished:
    """Run an entry point and return its exit code and output."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Finished(code, out.getvalue(), err.getvalue())


def ct_flags(folder: Path, *, run: str = "run", store: str = "store") -> list[str]:
    """Return flags of a coarse, brief run of the shipped CT config that writes to ``folder``."""
    places = ["--run", str(folder / run), "--data.store", str(folder / store)]
    return ["--config", str(CONFIGS / "ct_mtl.yaml"), *places, *COARSE]


def copy_cohort(cohort: Path, to: Path, *, patients: Sequence[str] | None = None) -> pd.DataFrame:
    """Copy the images of some patients as links, and return their rows of the table, as text."""
    table = pd.read_csv(cohort / "patients.csv", dtype=str, keep_default_na=False)
    kept = table if patients is None else table[table["patient_id"].isin(patients)]
    for name in kept["patient_id"]:
        source, folder = cohort / "images" / name, to / "images" / name
        folder.mkdir(parents=True)
        for file in source.iterdir():
            try:
                (folder / file.name).symlink_to(file.resolve())
            except OSError:  # a file system without links
                shutil.copyfile(file, folder / file.name)
    return kept.reset_index(drop=True)

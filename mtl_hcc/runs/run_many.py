"""Several runs of `fit`, each in a process of its own: on this machine, on a cluster, by SLURM.

What is finished is not run again, what was stopped goes on, what fails is named, and the rest is
run all the same. `fit --repeat never` knows all that; here the processes are only started.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mtl_hcc.command_line.config import config_from_dict, instantiate_data
from mtl_hcc.data.splits.split_changes import check_same_folds
from mtl_hcc.data.splits.splits_csv import read_splits
from mtl_hcc.runs.fit_process import FitProcess, by_joblib, by_slurm
from mtl_hcc.runs.run_claim import is_locked
from mtl_hcc.runs.run_record import State, run_state

SAID: dict[State, str] = {
    "running": "is left to the process that is training it",
    "half-finished": "goes on",
    "settings changed": "is trained anew: settings or data changed",
}
"""What is said of a run that is not simply to do."""


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be trained.

    Attributes:
        name: In what is printed, and of its log; several runs have different ones.
        values: The complete config, as plain values. Its ``run`` is a folder of its own.
    """

    name: str
    values: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.values["run"])

    @property
    def log(self) -> Path:
        """What the run's process printed."""
        return self.folder.parent / "logs" / f"{self.name}.txt"

    @property
    def state(self) -> State:
        """How far the run got with these settings and these data."""
        return run_state(self.folder, self.values)


def prepare_stores(parser: ArgumentParser, runs: Sequence[PlannedRun]) -> None:
    """Make or renew the stores of some runs, each once, and check that all have the same folds.

    Processes that start at the same time (one job per run on a cluster) wait for each other there.

    Args:
        parser: From ``config.build_parser``.
        runs: Of the same patients; the folds of the first hold for all.

    Raises:
        SplitError: A run would have other folds.
    """
    stores: dict[str, PlannedRun] = {}
    for run in runs:
        stores.setdefault(run.values["data"]["store"], run)
    for run in stores.values():
        instantiate_data(config_from_dict(parser, run.values)).prepare_data()
    splits = {store: read_splits(Path(store) / "splits.csv") for store in stores}
    expected = next(iter(splits.values()))
    for store, run in stores.items():
        check_same_folds(expected, splits[store], where=f"run {run.name}")


def run_many(
    runs: Sequence[PlannedRun],
    *,
    jobs: int | None = None,
    backend: str | None = None,
    slurm: Mapping[str, Any] | None = None,
    console: Console,
    found: Callable[[PlannedRun], str] = lambda run: "finished",
) -> dict[str, str]:
    """Train the runs that are not finished, and return why each that failed did, by its name.

    Args:
        runs: With stores that are prepared (:func:`prepare_stores`).
        jobs: Runs at a time; one on this machine when not given, and as many as SLURM gives.
        backend: joblib backend of a cluster that this process is connected to, e.g. ``dask``. Its
            workers see the same folders.
        slurm: Settings of SLURM's jobs, one for each run, as in :func:`by_slurm`.
        console: Gets a bar, and a line for each run that ends.
        found: What is said of a run that has ended well.
    """
    left = []
    for run in runs:
        state = run.state
        if state in SAID:
            console.print(f"{run.name} {SAID[state]}")
        if state not in ("finished", "running"):
            left.append(run)
    if not left:
        return {}
    started = [FitProcess(run.name, run.values, run.log, Path.cwd()) for run in left]
    if slurm is None:
        ended = by_joblib(started, jobs=jobs or 1, backend=backend)
    else:
        ended = by_slurm(started, slurm, jobs=jobs)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    by_name, failed = {run.name: run for run in left}, {}
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Training", total=len(left))
        for name, reason in ended:
            if reason and is_locked(by_name[name].folder):
                said = SAID["running"]
            elif reason:
                failed[name] = reason
                said = f"failed: {reason}"
            else:
                said = found(by_name[name])
            bar.console.print(f"{name}: {said}")
            bar.advance(task)
    return failed

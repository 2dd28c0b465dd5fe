"""Trains what is left of a study, with a bar over the runs and a line for each that ends."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mtl_hcc.ablation.launch import Ended, train_runs
from mtl_hcc.ablation.planned_run import PlannedRun
from mtl_hcc.ablation.show import in_words, result_line

SAID = {"half-finished": "goes on", "settings changed": "is trained anew: settings or data changed"}
"""What is said before a run that is not simply to do."""


def train_study(
    runs: Sequence[PlannedRun], *, jobs: int, backend: str | None, console: Console
) -> list[Ended]:
    """Train the runs that are not finished, and return those that failed.

    Args:
        runs: Chosen ones.
        jobs: Runs at a time.
        backend: As in :func:`~mtl_hcc.ablation.launch.train_runs`.
        console: Gets a line for each run.
    """
    left = [run for run in runs if run.state != "finished"]
    for run in left:
        if run.state in SAID:
            console.print(f"{run.name} {SAID[run.state]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    failed = []
    with Progress(*columns, console=console, disable=not left) as bar:
        task = bar.add_task("Training", total=len(left))
        for ended in train_runs(left, jobs=jobs, backend=backend):
            if ended.elsewhere:
                said = "left to the process that is training it"
            elif ended.reason:
                failed.append(ended)
                said = f"failed: {ended.reason}"
            else:
                said = result_line(ended.run)
            bar.console.print(f"{ended.run.name} ({in_words(ended.seconds)}): {said}")
            bar.advance(task)
    return failed

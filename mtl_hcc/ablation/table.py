"""From the finished runs of a study to its table: ablation.csv and ablation.md."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.ablation.planned_run import PlannedRun
from mtl_hcc.ablation.stores import check_same_folds
from mtl_hcc.ablation.study import FULL
from mtl_hcc.atomic import write_bytes
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.metrics.seed_averages import average_over_seeds
from mtl_hcc.tables.ablation_table import ablation

TABLE, TEXT = "ablation.csv", "ablation.md"


def write_ablation(runs: Sequence[PlannedRun], folder: Path, *, bootstraps: int) -> pd.DataFrame:
    """Compare the finished runs, write ``ablation.csv`` and ``ablation.md``, return the print.

    Args:
        runs: Finished ones, the full design among them.
        folder: Gets the files.
        bootstraps: Resamples of the patients behind each interval.

    Raises:
        SplitError: a run was trained on other folds than the full design.
    """
    tables = [
        read_predictions(run.folder / "predictions.csv", model=run.name).assign(
            variant=run.variant, seed=run.seed
        )
        for run in runs
    ]
    (expected, *_) = [t for t, run in zip(tables, runs, strict=True) if run.variant == FULL]
    columns = ["patient_id", "fold", "split"]
    for table, run in zip(tables, runs, strict=True):
        check_same_folds(expected[columns], table[columns], where=f"run {run.name}")
    found = average_over_seeds(
        pd.concat(tables, ignore_index=True),
        reference=FULL,
        bootstraps=bootstraps,
        progress=True,
    )
    write_bytes(folder / TABLE, found.to_csv(index=False).encode())
    printed = ablation(found)
    write_bytes(folder / TEXT, markdown(printed, runs).encode())
    return printed


def markdown(printed: pd.DataFrame, runs: Sequence[PlannedRun]) -> str:
    """Return the printed table as Markdown, with its caption and what each variant changes."""
    lines = [f"| {' | '.join(printed.columns)} |", f"|{' --- |' * len(printed.columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in printed.itertuples(index=False)]
    changes = {run.variant: run.change for run in runs if run.change}
    lines += ["", printed.attrs["caption"], "", "| Variant | Change |", "| --- | --- |"]
    lines += [f"| {variant} | `{change}` |" for variant, change in changes.items()]
    return "# Ablation\n\n" + "\n".join(lines) + "\n"

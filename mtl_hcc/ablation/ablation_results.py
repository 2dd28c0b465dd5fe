"""What a study shows: its runs, what one of them reached, and ablation.csv with ablation.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.ablation.study_file import FULL
from mtl_hcc.ablation.variants import VariantRun
from mtl_hcc.atomic import write_bytes
from mtl_hcc.data.splits.split_changes import check_same_folds
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.metrics.seed_averages import average_over_seeds
from mtl_hcc.runs.run_many import PlannedRun
from mtl_hcc.tables.ablation_table import ablation, outcome_name, shown_split
from mtl_hcc.tables.key_results_table import MAIN_METRICS

if TYPE_CHECKING:
    from rich.table import Table

TABLE, TEXT = "ablation.csv", "ablation.md"


def write_ablation(runs: Sequence[VariantRun], folder: Path, *, bootstraps: int) -> pd.DataFrame:
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
    expected = next(t for t, run in zip(tables, runs, strict=True) if run.variant == FULL)
    for table, run in zip(tables, runs, strict=True):
        check_same_folds(expected, table, where=f"run {run.name}")
    found = average_over_seeds(
        pd.concat(tables, ignore_index=True),
        reference=FULL,
        bootstraps=bootstraps,
        progress=True,
    )
    write_bytes(folder / TABLE, found.to_csv(index=False).encode())
    printed = ablation(found)
    write_bytes(folder / TEXT, _markdown(printed, runs).encode())
    return printed


def _markdown(printed: pd.DataFrame, runs: Sequence[VariantRun]) -> str:
    """Return the printed table as Markdown, with its caption and what each variant changes."""
    lines = [f"| {' | '.join(printed.columns)} |", f"|{' --- |' * len(printed.columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in printed.itertuples(index=False)]
    changes = {run.variant: run.change for run in runs if run.change}
    lines += ["", printed.attrs["caption"], "", "| Variant | Change |", "| --- | --- |"]
    lines += [f"| {variant} | `{change}` |" for variant, change in changes.items()]
    return "# Ablation\n\n" + "\n".join(lines) + "\n"


def result_line(run: PlannedRun) -> str:
    """Return what a finished run reached, e.g. ``external OS C-index 0.705, MVI AUC 0.711``."""
    metrics = pd.read_csv(run.folder / "metrics.csv")
    pooled = metrics[
        (metrics["center"] == ALL_CENTERS)
        & (metrics["model"] == "network")
        & metrics["metric"].isin(list(MAIN_METRICS))
    ]
    split = shown_split(pooled["split"].unique().tolist())
    rows = pooled[pooled["split"] == split]
    values = [
        f"{outcome_name(str(task), str(metric))} " + ("-" if np.isnan(value) else f"{value:.3f}")
        for task, metric, value in zip(rows["task"], rows["metric"], rows["value"], strict=True)
    ]
    return f"{split} {', '.join(values)}"


def runs_table(runs: Sequence[VariantRun]) -> "Table":
    """Return the variants with what they change, and how far each seed got."""
    seeds = list(dict.fromkeys(run.seed for run in runs))
    headings = ["Variant", *(f"Seed {seed}" for seed in seeds), "Change"]
    table = _table(f"{len(runs)} runs, named e.g. {runs[0].name}", headings)
    for variant in dict.fromkeys(run.variant for run in runs):
        of_seed = {run.seed: run for run in runs if run.variant == variant}
        change = next(iter(of_seed.values())).change or "the design itself"
        states = [of_seed[seed].state if seed in of_seed else "-" for seed in seeds]
        table.add_row(variant, *states, change)
    return table


def printed_table(printed: pd.DataFrame) -> "Table":
    """Return the table of the study for the terminal, a section for each outcome."""
    table = _table("Ablation", list(printed.columns), right=range(2, len(printed.columns)))
    before = ""
    for row in printed.itertuples(index=False):
        if before and row[0] != before:
            table.add_section()
        table.add_row(*["" if n == 0 and cell == before else cell for n, cell in enumerate(row)])
        before = row[0]
    return table


def _table(title: str, headings: Sequence[str], *, right: Sequence[int] = ()) -> "Table":
    """Return an empty table for the terminal; numbers stand on the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number in right else "left", no_wrap=True)
    return table

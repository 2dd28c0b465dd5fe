"""What a study prints: its plan with an estimate of the time, a line per run, the table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.ablation.plan import Plan
from mtl_hcc.ablation.planned_run import PlannedRun, read_record
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.tables.ablation_table import outcome_name, shown_split
from mtl_hcc.tables.key_results_table import MAIN_METRICS

if TYPE_CHECKING:
    from rich.table import Table


def plan_table(runs: Sequence[PlannedRun]) -> "Table":
    """Return the variants with what they change, and how far each seed got."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    seeds = list(dict.fromkeys(run.seed for run in runs))
    table = Table(
        title=f"{len(runs)} runs, named e.g. {runs[0].name}",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("Variant", *(f"Seed {seed}" for seed in seeds), "Change"):
        table.add_column(heading, no_wrap=True)
    for variant in dict.fromkeys(run.variant for run in runs):
        of_seed = {run.seed: run for run in runs if run.variant == variant}
        change = next(iter(of_seed.values())).change or "the design itself"
        states = [of_seed[seed].state if seed in of_seed else "-" for seed in seeds]
        table.add_row(variant, *states, change)
    return table


def summary(plan: Plan, chosen: Sequence[PlannedRun], *, jobs: int) -> str:
    """Return how many runs are left and how long they will take.

    Args:
        plan: Of the study.
        chosen: The runs that are asked for.
        jobs: Runs at a time.
    """
    left = [run for run in chosen if run.state != "finished"]
    text = f"{len(chosen)} runs, {len(chosen) - len(left)} finished, {len(left)} to train"
    if not left:
        return text + "."
    seconds, source = expected_seconds(plan, left)
    if not np.isfinite(seconds):
        return f"{text}. How long they take is known after the first."
    at_a_time = min(jobs, len(left))
    return f"{text}: about {in_words(seconds / at_a_time)}, {source}."


def expected_seconds(plan: Plan, left: Sequence[PlannedRun]) -> tuple[float, str]:
    """Return how long some runs take one after the other, and where that was measured.

    A variant takes as long as its other seeds did, else as the runs of the study on average, else
    as the training of the design by `fit`; NaN when nothing was measured yet.

    Args:
        plan: Of the study.
        left: The runs.
    """
    measured: dict[str, list[float]] = {}
    for run in plan.runs:
        if seconds := read_record(run.folder).get("seconds"):
            measured.setdefault(run.variant, []).append(seconds)
    if measured:
        known = [seconds for of_variant in measured.values() for seconds in of_variant]
        each = [float(np.mean(measured.get(run.variant, known))) for run in left]
        return sum(each), f"as the {len(known)} trained so far took"
    if (history := plan.run / "history.csv").is_file():
        table = pd.read_csv(history)
        if "system/epoch_seconds" in table and len(table):
            return len(left) * float(table["system/epoch_seconds"].sum()), f"as {plan.run} took"
    return float("nan"), ""


def in_words(seconds: float) -> str:
    """Return a duration in the unit that fits."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


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


def printed_table(printed: pd.DataFrame) -> "Table":
    """Return the table of the study for the terminal, a section for each outcome."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="Ablation", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(printed.columns):
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    before = ""
    for row in printed.itertuples(index=False):
        if before and row[0] != before:
            table.add_section()
        table.add_row(*["" if n == 0 and cell == before else cell for n, cell in enumerate(row)])
        before = row[0]
    return table

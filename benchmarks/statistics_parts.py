"""The parts of ``benchmarks/statistics.py``, each one section of its table."""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import Statistic, percentile_interval, resample_counts
from mtl_hcc.metrics.classification.auc import auc_statistic
from mtl_hcc.metrics.survival.brier import brier_statistic
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.survival.concordance import concordance_statistic, uno_statistic
from mtl_hcc.metrics.survival.discrimination import auc_at_horizon_statistic
from mtl_hcc.metrics.survival.horizons import last_follow_up
from mtl_hcc.metrics.task_metric import TaskRows

RESULT = Path(__file__).parent / "results" / "statistics.md"
PATIENTS, RESAMPLES, THEIR_RESAMPLES = 388, 1000, 999
AT_LEAST = 100
SIZES = (1_000, 10_000, 100_000)
HORIZON = 730


def drawn_rows(number: int) -> pd.DataFrame:
    """Return survival rows with whole-day times, about 40% events, risks without ties."""
    rng = np.random.default_rng(number)
    log_hazard = rng.normal(size=number)
    death = np.ceil(rng.exponential(3000 * np.exp(-log_hazard)))
    end = 730 + rng.integers(0, 1825, number)
    risk = log_hazard + rng.normal(size=number)
    return pd.DataFrame(
        {
            "patient_id": [f"P{k:07d}" for k in range(number)],
            "fold": 0,
            "risk": risk,
            "time_days": np.minimum(death, end).astype(float),
            "event": (death <= end).astype(float),
            f"survival_{HORIZON}": np.exp(-HORIZON / 3000 * np.exp(risk / 2)),
        }
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratio() -> str:
    """Time the interval of the C-index, ours and TorchSurv's, on the same patients."""
    import torch
    from torchsurv.metrics.cindex import ConcordanceIndex

    rows = drawn_rows(PATIENTS)
    labels = rows["risk"], rows["time_days"], rows["event"]
    ours: list[tuple[float, float]] = []

    def interval() -> None:
        counts = resample_counts(rows["patient_id"], bootstraps=RESAMPLES)
        ours.append(percentile_interval(concordance_statistic(*labels)(counts)))

    interval()  # warm
    our_time = float(np.median([seconds(interval) for _ in range(7)]))
    risk, time_days, event = (torch.tensor(column.to_numpy(np.float32)) for column in labels)
    theirs = ConcordanceIndex()
    theirs(risk, event.bool(), time_days)
    found: list[torch.Tensor] = []
    their_time = seconds(
        lambda: found.append(
            theirs.confidence_interval(method="bootstrap", n_bootstraps=THEIR_RESAMPLES)
        )
    )
    times = their_time / our_time
    verdict = "reached" if times >= AT_LEAST else "MISSED"
    return (
        f"95% bootstrap interval of the C-index, {PATIENTS} patients "
        f"({rows['event'].sum():.0f} events), drawing included.\n\n"
        "| | resamples | seconds | interval |\n|---|---:|---:|---|\n"
        f"| mtl_hcc (median of 7) | {RESAMPLES} | {our_time:.4f} "
        f"| {ours[0][0]:.3f} to {ours[0][1]:.3f} |\n"
        f"| TorchSurv {version('torchsurv')} | {THEIR_RESAMPLES} | {their_time:.1f} "
        f"| {found[0][0]:.3f} to {found[0][1]:.3f} |\n\n"
        f"Ratio: {times:,.0f} (at least {AT_LEAST} wanted: {verdict}).\n"
    )


def evaluate() -> str:
    """Time the command ``evaluate`` on four models of the published cohort's size."""
    from phantom_predictions import four_models

    from mtl_hcc.cohorts.phantom.settings import PhantomSettings

    predictions = four_models(PhantomSettings(paper_size=True))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, rows in predictions.groupby("model", sort=False):
            paths.append(Path(folder) / f"{name}.csv".replace(" ", "_"))
            rows.to_csv(paths[-1], index=False)
        command = [sys.executable, "-m", "mtl_hcc.evaluate", "--predictions", *map(str, paths)]
        command += ["--bootstraps", str(RESAMPLES), "--output", folder]
        wall = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
        metrics = pd.read_csv(Path(folder) / "metrics.csv")
        comparisons = pd.read_csv(Path(folder) / "comparisons.csv")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return (
        f"`python -m mtl_hcc.evaluate`, start and files included: {PATIENTS} patients, "
        f"{predictions['model'].nunique()} models, {predictions['task'].nunique()} tasks, "
        f"{predictions['split'].nunique()} splits, {predictions['center'].nunique()} centers, "
        f"{RESAMPLES} resamples.\n\n"
        "| seconds | GiB | metrics | comparisons |\n|---:|---:|---:|---:|\n"
        f"| {wall:.1f} | {peak:.2f} | {len(metrics):,} | {len(comparisons):,} |\n"
    )


def scaling() -> str:
    """Time single metrics for growing cohorts, each size in a process of its own."""
    found = {}
    for number in SIZES:
        command = [sys.executable, __file__, "--size", str(number)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[number] = json.loads(printed)
        print(number, found[number], file=sys.stderr)
    header = " | ".join(f"{number:,}" for number in SIZES)
    lines = [
        f"| {name} | "
        + " | ".join(f"{found[number][name]:.2f}" for number in SIZES)
        + f" | {found[SIZES[-1]][name] / found[SIZES[-2]][name]:.1f} |"
        for name in found[SIZES[0]]
    ]
    return (
        f"Seconds for {RESAMPLES} resamples on one core, sorting included (weights of the rows "
        "themselves; every patient and every pair counts, nothing is sampled but the resamples), "
        "and the largest memory of the process. The last column is the growth from "
        f"{SIZES[-2]:,} to {SIZES[-1]:,} patients: 10 is linear, n log n gives 12.5; more is the "
        "processor's cache.\n\n"
        f"| | {header} | growth |\n|---|{'---:|' * (len(SIZES) + 1)}\n" + "\n".join(lines) + "\n"
    )


def one_size(number: int) -> dict[str, float]:
    """Time the metrics of one cohort; run in a process of its own."""
    rows = drawn_rows(number)
    sample = TaskRows(rows, rows.iloc[:0], "survival")
    drawn: list[np.ndarray] = []
    took = {
        "drawing the resamples": seconds(
            lambda: drawn.append(resample_counts(rows["patient_id"], bootstraps=RESAMPLES))
        )
    }
    makers: dict[str, Callable[[], Statistic]] = {
        "concordance_harrell": lambda: concordance_statistic(
            rows["risk"], rows["time_days"], rows["event"]
        ),
        "concordance_uno": lambda: uno_statistic(
            sample, CensoringWeights(rows), last_follow_up(sample)
        ),
        "auc_td": lambda: auc_at_horizon_statistic(sample, CensoringWeights(rows), HORIZON),
        "brier": lambda: brier_statistic(sample, CensoringWeights(rows), HORIZON),
        "auc": lambda: auc_statistic(rows["event"], rows["risk"]),
    }
    for name, make in makers.items():
        took[name] = seconds(lambda make=make: make()(drawn[0]))  # type: ignore[misc]
    took["largest memory, GiB"] = _largest_memory()
    return took


def _largest_memory() -> float:
    """Return this process's own peak in GiB (Linux; ``getrusage`` would count its parent's too)."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 2**20


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "ratio": ("Beside TorchSurv", ratio),
    "evaluate": ("Everything for one cohort", evaluate),
    "scaling": ("Large cohorts", scaling),
}


def main() -> None:
    """Run the parts that are asked for and write the table."""
    parser = argparse.ArgumentParser(description="Time the statistics.")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args().parts
    sections = _kept_sections()
    machine = (
        f"{os.cpu_count()} CPU cores, {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, pandas {pd.__version__}, mtl_hcc {version('mtl_hcc')}"
    )
    for part in asked:
        title, work = PARTS[part]
        sections[title] = f"{work()}\nMachine: {machine}.\n"
    text = [
        "# How long do the statistics take?\n",
        "Command: `python benchmarks/statistics.py` (a part alone: `--parts ratio`)\n",
        *(f"## {title}\n\n{sections[title]}" for title, _ in PARTS.values() if title in sections),
    ]
    RESULT.write_text("\n".join(text))
    print(RESULT.read_text())


def _kept_sections() -> dict[str, str]:
    """Return the sections of the last table."""
    if not RESULT.exists():
        return {}
    parts = re.split(r"^## (.+)\n\n", RESULT.read_text(), flags=re.MULTILINE)[1:]
    return {
        title: body.rstrip() + "\n" for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


if __name__ == "__main__":
    print(json.dumps(one_size(int(sys.argv[2]))))

"""Trains runs, each in a process of its own, here or on a cluster through joblib."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import joblib

from mtl_hcc.ablation.one_run import BUSY
from mtl_hcc.ablation.planned_run import PlannedRun
from mtl_hcc.store.renew import on_backend


@dataclass(frozen=True)
class Ended:
    """How the process of a run ended.

    Attributes:
        run: The run.
        seconds: How long the process took.
        reason: Why it failed; empty when it did not.
        elsewhere: Whether it was left to another process that is training it.
    """

    run: PlannedRun
    seconds: float
    reason: str
    elsewhere: bool


def train_runs(
    runs: Sequence[PlannedRun], *, jobs: int = 1, backend: str | None = None
) -> Iterator[Ended]:
    """Train runs and yield each as it ends, whatever the order.

    A run that fails does not stop the others.

    Args:
        runs: To be trained.
        jobs: Runs at a time.
        backend: joblib backend of a cluster that this process is connected to, e.g. ``dask``; runs
            start on this machine when it is not given. Workers see the same folders.
    """
    # Here, a thread that waits for a process is enough to run side by side.
    context: AbstractContextManager[object] = (
        on_backend(backend) if backend else joblib.parallel_config(backend="threading")
    )
    threads = None if backend or jobs == 1 else max(1, (os.cpu_count() or 1) // jobs)
    calls = [
        joblib.delayed(launch)(str(run.write_plan()), str(run.log), str(Path.cwd()), threads)
        for run in runs
    ]
    by_plan = {str(run.plan): run for run in runs}
    with context if calls else nullcontext():
        ended = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)
        for plan, seconds, code, reason in ended:
            yield Ended(by_plan[plan], seconds, reason, elsewhere=code == BUSY)


def launch(plan: str, log: str, folder: str, threads: int | None) -> tuple[str, float, int, str]:
    """Train one run in a new process; return plan, seconds, exit code and why it failed.

    Args:
        plan: File with the complete config.
        log: File for what the process prints.
        folder: Folder in which relative paths of the config are meant.
        threads: Threads for arithmetic, where several runs share the cores.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    start = time.perf_counter()
    path = Path(folder, log)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as output:
        began = output.tell()
        code = subprocess.run(
            [sys.executable, "-m", "mtl_hcc.ablation.one_run", "--config", plan],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    seconds = time.perf_counter() - start
    return plan, seconds, code, "" if code in (0, BUSY) else _reason(path, began, code)


def _reason(log: Path, began: int, code: int) -> str:
    """Return the last line of a failed process's output, or its exit code."""
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(began)
        lines = [line.strip() for line in file if line.strip()]
    if code < 0:
        return f"ended by signal {-code}"
    return lines[-1] if lines else f"exit code {code}"

"""A process of `fit`, and the two ways to start many: joblib, and submitit for SLURM."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import torch
import yaml

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import ConfigError
from mtl_hcc.store.renew import on_backend

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

CLUSTER = "slurm"
"""submitit's name; ``local`` starts its jobs on this machine, which is how they are tested."""
_SHARED = ("timeout_min", "mem_gb", "gpus_per_node", "cpus_per_task", "name")
"""submitit's own names of what every cluster has."""
_ONE_MACHINE = {"SLURM_JOB_NAME": "interactive"}
"""Lightning's sign that `fit` starts the processes of its devices itself, as outside of SLURM.

Else it counts SLURM's tasks, of which there is one, and requeues the job as submitit does.
"""
_ONE_GPU = ("auto", 1, "1", -1, "-1", None)
"""Values of ``trainer.devices`` with which a run trains on the one GPU that it sees."""


@dataclass(frozen=True)
class FitProcess:
    """A process of `fit`, to be started anywhere where the same folders are seen.

    Attributes:
        name: Of the run.
        values: Its complete config.
        log: File for what the process prints; the config is written beside its folder.
        folder: Folder in which relative paths are meant.
    """

    name: str
    values: dict[str, Any]
    log: Path
    folder: Path

    def __call__(self, **environment: str) -> tuple[str, str]:
        """Run it, and return the run's name and why it failed; nothing if it did not.

        Args:
            **environment: Variables that it gets besides those that are there.
        """
        log = self.folder / self.log
        config = log.parents[1] / "plans" / f"{self.name}.yaml"
        write_bytes(config, yaml.safe_dump(self.values, sort_keys=False).encode())
        # A flag for W&B: the environment has been weighed where the runs were planned.
        flags = ["--config", str(config), "--repeat", "never", "--wandb", self.values["wandb"]]
        known = {**os.environ, **(_ONE_MACHINE if "SLURM_JOB_ID" in os.environ else {})}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as output:
            began = output.tell()
            code = subprocess.run(
                [sys.executable, "-m", "mtl_hcc.fit", *flags],
                cwd=self.folder,
                env=known | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        return self.name, _reason(log, began, code) if code else ""

    def checkpoint(self) -> "DelayedSubmission":
        """Return what SLURM starts again when a job's time is over: the same, which goes on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def by_joblib(
    processes: Sequence[FitProcess], *, jobs: int, backend: str | None = None
) -> Iterator[tuple[str, str]]:
    """Start processes here or on a cluster, and yield name and failure of each as it ends.

    Several at a time share the cores of this machine, and each gets a GPU where there are several;
    on a cluster that is the business of its scheduler.

    Args:
        processes: To be started.
        jobs: At a time.
        backend: joblib backend, e.g. ``dask``; this machine when not given.
    """
    # Here, a thread that waits for a process is enough to run side by side.
    context: AbstractContextManager[object] = (
        on_backend(backend) if backend else joblib.parallel_config(backend="threading")
    )
    free: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    for share in [] if backend else _shares(processes, jobs):
        free.put(share)
    calls = [
        joblib.delayed(process)() if backend else joblib.delayed(_on_share)(process, free)
        for process in processes
    ]
    with context:
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)


def by_slurm(
    processes: Sequence[FitProcess], settings: Mapping[str, Any], *, jobs: int | None = None
) -> Iterator[tuple[str, str]]:
    """Start each process as a job of SLURM, and yield name and failure of each as it ends.

    A job whose time is over is started again, up to three times, and goes on where it stopped. When
    the caller ends early, jobs that have not ended are cancelled.

    Args:
        processes: To be started.
        settings: ``timeout_min`` and what else SLURM needs: ``gpus_per_node``, ``cpus_per_task``,
            ``mem_gb``, or a name of sbatch such as ``partition``, ``account``.
        jobs: At most so many at a time; SLURM decides when not given.

    Raises:
        ConfigError: There is no SLURM here, or it does not know a setting.
    """
    if not {"timeout_min", "time"} & {*settings}:
        raise ConfigError(
            "timeout_min is missing, and SLURM would stop each run after five minutes",
            where="--slurm",
            expected="the minutes that the longest run may take",
            remedy="Add it, e.g. --slurm timeout_min=240 gpus_per_node=1",
        )
    named = {name if name in _SHARED else f"slurm_{name}": v for name, v in settings.items()}
    try:
        import submitit

        executor = submitit.AutoExecutor(folder=processes[0].log.parent / "slurm", cluster=CLUSTER)
        most = {} if jobs is None else {"slurm_array_parallelism": jobs}
        executor.update_parameters(**{"name": "mtl_hcc"} | most | named)
    except ImportError as error:
        raise ConfigError(
            "submitit is not installed",
            where="--slurm",
            remedy="pip install 'mtl_hcc[slurm]', or leave out --slurm.",
        ) from error
    except (RuntimeError, NameError, TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            " ".join(str(error).split()).rstrip("?."),
            where="--slurm",
            expected="settings of SLURM, on a machine that submits its jobs",
            remedy="Correct them, or leave out --slurm to train on this machine.",
        ) from error
    with executor.batch():
        submitted = [executor.submit(process) for process in processes]
    names = {job.job_id: process.name for job, process in zip(submitted, processes, strict=True)}
    try:
        for job in submitit.helpers.as_completed(submitted, poll_frequency=2):
            name, failed = names[job.job_id], f"its SLURM job {job.job_id} ended: {job.state}"
            yield (name, failed) if job.exception() else job.result()
    finally:
        for job in submitted:
            if not job.done():
                job.cancel(check=False)


def _on_share(process: FitProcess, free: "queue.SimpleQueue[dict[str, str]]") -> tuple[str, str]:
    """Run a process on a share of this machine that no other is using."""
    share = free.get()
    try:
        return process(**share)
    finally:
        free.put(share)


def _shares(processes: Sequence[FitProcess], jobs: int) -> list[dict[str, str]]:
    """Return the variables that give each of several processes its cores and its GPU."""
    if jobs == 1:
        return [{}]
    cores = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}
    shared = {} if "OMP_NUM_THREADS" in os.environ else cores
    gpus = _gpus()
    if len(gpus) < 2 or any(p.values["trainer"]["devices"] not in _ONE_GPU for p in processes):
        return [shared] * jobs
    return [shared | {"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} for n in range(jobs)]


def _gpus() -> list[str]:
    """Return the names of the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def _reason(log: Path, began: int, code: int) -> str:
    """Return the last line of a failed process's output, or its exit code."""
    if code < 0:
        return f"ended by signal {-code}"
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(began)
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else f"exit code {code}"

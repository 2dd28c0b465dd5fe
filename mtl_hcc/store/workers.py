"""Processes that prepare patients: as many as memory carries; one lost takes no other along."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.patient import Cohort, Patient
from mtl_hcc.store.memory import available_bytes

_PROCESS_BYTES = 400e6
"""What a process takes before it reads anything: the libraries."""
_VOXEL_BYTES = 12
"""Per voxel of the largest phase: two copies as float32 while it is resampled, masks, positions."""


class Named(Protocol):
    """A result that knows its patient."""

    @property
    def patient_id(self) -> str:
        """Name of the patient."""


Result = TypeVar("Result", bound=Named)


def patient_bytes(patient: Patient, preparation: Preparation) -> float:
    """Return about how much memory a patient takes while prepared, by the headers of the files."""
    from mtl_hcc.imaging.nifti_file import MOST_BYTES, read_header

    sizes, voxels = {}, 0.0
    for files in (patient.images, patient.regions):
        for phase in preparation.phases:
            if phase not in files or files[phase] in sizes:
                continue
            header = read_header(Path(files[phase]))
            size = 0 if header is None else header.voxel_bytes
            if 0 < size <= MOST_BYTES and header is not None:  # Others are refused unread.
                sizes[files[phase]] = size
                voxels = max(voxels, size / (header.bits / 8 or 1))
    return _PROCESS_BYTES + 2.0 * sum(sizes.values()) + _VOXEL_BYTES * voxels


def bounded_workers(cohort: Cohort, preparation: Preparation, workers: int | None) -> int | None:
    """Return how many processes to take, fewer than asked for where memory would not do.

    Args:
        cohort: Whose patients are prepared.
        preparation: The recipe.
        workers: As asked for, counted as joblib does (-1 is all cores); None leaves it to joblib,
            whose processes may be on other machines.
    """
    left = available_bytes()
    if workers in (None, 1) or left is None:
        return workers
    asked = min(int(joblib.effective_n_jobs(workers)), len(cohort.patients))
    if asked < 2:
        return asked
    each = max(patient_bytes(patient, preparation) for patient in cohort.patients.values())
    few = max(1, int(0.9 * left / each))
    if few >= asked:
        return asked
    print(
        f"Preparing with {few} of {asked} workers: a patient takes up to {each / 1e9:.1f} GB, and "
        f"{left / 1e9:.1f} GB of memory are free.",
        flush=True,
    )
    return few


def run_all(
    jobs: Mapping[str, Callable[[], Result]],
    workers: int | None,
    lost: Callable[[str, str], Result],
) -> Iterator[Result]:
    """Yield the jobs' results as they come.

    When the system kills a process (no memory left, or a crash inside a library), the patients that
    are not finished are done again, each in a process of its own, so that only the culprit is lost.

    Args:
        jobs: By patient.
        workers: Processes, as in joblib.
        lost: Makes the result of a patient whose process died, from name and reason.
    """
    waiting = dict(jobs)
    tasks = [joblib.delayed(_call)(job) for job in jobs.values()]
    try:
        for result in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(tasks):
            del waiting[result.patient_id]
            yield result
    except TerminatedWorkerError:
        print(
            f"A worker process was killed; {len(waiting)} patients are done again, each alone.",
            flush=True,
        )
        for name, job in waiting.items():
            yield _alone(name, job, lost)


def _call(job: Callable[[], Result]) -> Result:
    return job()


def _alone(name: str, job: Callable[[], Result], lost: Callable[[str, str], Result]) -> Result:
    """Run one job in a new process, so that a crash ends that process only."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(job).result()
        except BrokenProcessPool:
            return lost(
                name,
                f"patient {name}: the process that prepared it was killed by the system, "
                "twice. Expected files that the imaging library can "
                "read, and enough memory. Open the files in a viewer; with large volumes close "
                "other programs or set data.preparing.workers: 1.",
            )

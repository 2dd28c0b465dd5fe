"""From a cohort to a prepared store: in parallel, restartable, only what changed is redone."""

import contextlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from mtl_hcc.atomic import remove_leftovers, write_bytes
from mtl_hcc.errors import CohortError, MtlHccError, StoreError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.patient import Cohort, Patient
from mtl_hcc.spreadsheet_cells import csv_bytes
from mtl_hcc.store.cohort_files import content_fingerprint, quick_marks
from mtl_hcc.store.prepared_file import (
    check_content,
    content_hash,
    file_name,
    read_header,
    read_prepared,
    write_prepared,
)
from mtl_hcc.store.prepared_store import PreparedStore
from mtl_hcc.store.workers import bounded_workers, run_all


@dataclass(frozen=True)
class PatientResult:
    """What became of one patient: prepared now, kept from before, or left out with a reason."""

    patient_id: str
    kept: bool = False
    reason: str = ""
    fingerprint: str = ""
    sha256: str = ""
    quality: dict[str, float | str] | None = None


def prepare_store(
    cohort: Cohort,
    preparation: Preparation,
    root: Path | str,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> PreparedStore:
    """Prepare every patient of a cohort and return the store.

    A patient whose files and recipe are unchanged is kept as it is. A patient who cannot be
    prepared is written to ``quarantine.csv`` with the reason; the others go on. Kill it at any
    moment and run it again: finished patients are not redone, half a file is never left.

    Args:
        cohort: The patients.
        preparation: The recipe.
        root: Folder of the store.
        workers: Processes; ``None`` leaves it to ``joblib.parallel_config``, where a Dask or Ray
            cluster can be named as well.
        progress: Whether to show a bar and the report.
    """
    root = Path(root)
    folder = root / "patients"
    if not cohort.patients:
        raise CohortError(
            "no patient with images",
            where=str(cohort.root),
            remedy="Check the folder images/, or use a config that needs only the table.",
        )
    remove_leftovers(root)
    remove_leftovers(folder)
    results = list(_run(cohort, preparation, folder, workers=workers, progress=progress))
    results.sort(key=lambda result: result.patient_id)
    _check_any(results, cohort)
    _write_tables(root, cohort, preparation, results)
    store = PreparedStore(root)
    if progress:
        from mtl_hcc.store.quality_report import print_report

        print_report(store, kept=sum(result.kept for result in results))
    return store


def prepare_one(patient: Patient, preparation: Preparation, path: Path) -> PatientResult:
    """Prepare one patient into ``path`` unless the file there is still right.

    Any failure of this patient alone becomes a reason; a full disk stops the run.
    """
    marks = quick_marks(patient, preparation)
    before = _metadata(path, patient)
    if before is not None and before["sources"].get("marks") == marks:
        return _kept(patient, before)
    fingerprint = content_fingerprint(patient, preparation)
    sources = {"marks": marks, "fingerprint": fingerprint}
    if before is not None and before["sources"].get("fingerprint") == fingerprint:
        with contextlib.suppress(StoreError):  # a damaged file is made again
            known = read_prepared(path)
            check_content(path, known, patient.patient_id, before["sha256"])
            write_prepared(path, known, sources=sources)  # Only the marks are new.
            return _kept(patient, before)
    try:
        prepared = _prepare(patient, preparation)
    except MtlHccError as error:
        return _refused(patient, path, str(error))
    except (RuntimeError, ValueError, ArithmeticError, MemoryError, OSError) as error:
        return _refused(patient, path, f"unexpected {type(error).__name__}: {error}")
    write_prepared(path, prepared, sources=sources)
    return PatientResult(
        patient.patient_id,
        fingerprint=fingerprint,
        sha256=content_hash(prepared),
        quality=prepared.quality,
    )


def _prepare(patient: Patient, preparation: Preparation) -> Any:
    """Prepare on one thread: the patients themselves run side by side."""
    import SimpleITK as sitk  # noqa: N813

    from mtl_hcc.imaging.prepare_patient import prepare_patient

    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        with threadpool_limits(1):
            return prepare_patient(patient, preparation)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def _metadata(path: Path, patient: Patient) -> dict[str, Any] | None:
    """Return the metadata of a patient's file; ``None``: none, damaged, or another patient's."""
    try:
        metadata = read_header(path)[0]["__metadata__"]
        found = {key: json.loads(metadata[key]) for key in ("sources", "quality")}
    except (StoreError, ValueError):
        return None
    found["sha256"] = metadata["sha256"]
    return found if metadata["patient_id"] == patient.patient_id else None


def _kept(patient: Patient, before: dict[str, Any]) -> PatientResult:
    return PatientResult(
        patient.patient_id,
        kept=True,
        fingerprint=before["sources"]["fingerprint"],
        sha256=before["sha256"],
        quality=before["quality"],
    )


def _refused(patient: Patient, path: Path, reason: str) -> PatientResult:
    path.unlink(missing_ok=True)
    return PatientResult(patient.patient_id, reason=reason)


def _run(
    cohort: Cohort, preparation: Preparation, folder: Path, *, workers: int | None, progress: bool
) -> Iterator[PatientResult]:
    jobs = {
        name: partial(prepare_one, patient, preparation, folder / file_name(name))
        for name, patient in cohort.patients.items()
    }
    workers = bounded_workers(cohort, preparation, workers)
    finished = run_all(jobs, workers, lambda name, reason: PatientResult(name, reason=reason))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, disable=not progress) as bar:
        yield from bar.track(finished, total=len(jobs), description="Preparing patients")


def _check_any(results: list[PatientResult], cohort: Cohort) -> None:
    if all(result.reason for result in results):
        raise CohortError(
            f"none of the {len(results)} patients could be prepared; the first: "
            f"{results[0].reason}",
            where=str(cohort.root),
            remedy="Mend what the message names, and run prepare again.",
        )


def _write_tables(
    root: Path, cohort: Cohort, preparation: Preparation, results: list[PatientResult]
) -> None:
    """Write the store's tables, the manifest last: with it the store is complete."""
    rows = [
        {
            "patient_id": result.patient_id,
            "file": f"patients/{file_name(result.patient_id)}",
            "fingerprint": result.fingerprint,
            "sha256": result.sha256,
            **(result.quality or {}),
        }
        for result in results
        if not result.reason
    ]
    left_out = pd.DataFrame(
        [(o.patient_id, "prepare", o.reason) for o in results if o.reason],
        columns=["patient_id", "step", "reason"],
        dtype=str,
    )
    quarantine = pd.concat([cohort.quarantine, left_out], ignore_index=True)
    manifest = pd.DataFrame(rows)
    recipe = {
        "preparation": preparation.as_dict(),
        "fingerprint": preparation.fingerprint(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("mtl_hcc", "SimpleITK", "numpy", "torchio")},
        },
    }
    _write_csv(root / "patients.csv", cohort.table.rename_axis("patient_id").reset_index())
    _write_csv(root / "quarantine.csv", quarantine)
    _write_csv(root / "quality.csv", manifest.drop(columns=["file", "fingerprint", "sha256"]))
    write_bytes(root / "preparation.json", json.dumps(recipe, indent=2).encode())
    _write_csv(root / "manifest.csv", manifest)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_bytes(path, csv_bytes(table))

"""Writes the phantom cohort as an ordinary cohort folder, patient by patient, restartable."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from mtl_hcc.atomic import remove_leftovers, temporary_path, write_bytes
from mtl_hcc.cohorts.phantom.case_mix import case_mix
from mtl_hcc.cohorts.phantom.latents import draw_latents, draw_luck
from mtl_hcc.cohorts.phantom.outcomes import draw_clinical, draw_outcomes
from mtl_hcc.cohorts.phantom.phantom_patient import PhantomScan, scan_patient
from mtl_hcc.cohorts.phantom.settings import SPLIT_OF_CENTER, PhantomSettings
from mtl_hcc.errors import CohortError

MARK = "settings.json"
TRUTH = ("os_log_hazard", "rfs_log_hazard", "mvi_probability")


def write_phantom(root: Path, settings: PhantomSettings, *, workers: int, progress: bool) -> Path:
    """Write a phantom cohort and return its folder.

    The folder follows the cohort contract (``patients.csv``, ``images/<patient_id>/``), and adds
    ``oracle.csv`` (latents, true log hazards and MVI probability of each patient) and
    ``settings.json``. Patients that are already there from the same settings are kept; a patient
    appears only when all its files are complete. The result does not depend on ``workers``.

    Args:
        root: Folder to write to; new, empty, or of an earlier call.
        settings: What to make.
        workers: Processes that work at the same time.
        progress: Show a progress bar.

    Raises:
        CohortError: The folder holds something else, or a phantom of other settings.
    """
    root = Path(root)
    _claim(root, settings)
    patients, oracle = draw_tables(settings)
    images = root / "images"
    images.mkdir(exist_ok=True)
    _remove_others(images, set(patients["patient_id"]))
    missing = [
        row for row in oracle.to_dict("records") if not (images / row["patient_id"]).exists()
    ]
    _write_all(images, missing, settings, workers=workers, progress=progress)
    write_bytes(root / "oracle.csv", oracle.to_csv(index=False).encode())
    write_bytes(root / "patients.csv", patients.to_csv(index=False).encode())
    return root


def is_complete(root: Path, settings: PhantomSettings) -> bool:
    """Return whether a folder holds the whole phantom of these settings, and no patient more.

    Args:
        root: The folder.
        settings: What should be there.
    """
    patients, oracle = draw_tables(settings)
    try:
        mark = json.loads((root / MARK).read_text(encoding="utf-8"))
        same = mark == _mark(settings) and all(
            (root / name).read_bytes() == table.to_csv(index=False).encode()
            for name, table in (("patients.csv", patients), ("oracle.csv", oracle))
        )
        names = {path.name for path in (root / "images").iterdir()}
    except (OSError, ValueError):
        return False
    return same and {name for name in names if _is_ours(name)} == set(patients["patient_id"])


def draw_tables(settings: PhantomSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``patients.csv`` and ``oracle.csv``; every patient has a random stream of its own."""
    names = pd.DataFrame(
        [
            {"patient_id": f"{center}-{number:03d}", "center": center}
            for center, count in settings.patients_of_center.items()
            for number in range(1, count + 1)
        ]
    )
    if names.empty:
        raise CohortError(
            "the phantom has no patients",
            where="PhantomSettings.patients",
            expected="at least one patient in one center",
            remedy="Give a number, e.g. {I: 96, VI: 60}.",
        )
    names["split"] = names["center"].map(SPLIT_OF_CENTER)
    luck = draw_luck(_stream(settings, name, "outcome") for name in names["patient_id"])
    drawn: list[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]] = []
    for center, rows in luck.groupby(names["center"], sort=False):
        mix = case_mix(settings.cases, str(center))
        latents = draw_latents(rows, mix)
        outcomes = draw_outcomes(latents, rows, mix)
        drawn.append((latents, outcomes, draw_clinical(latents, rows, mix)))
    latents, outcomes, clinical = (pd.concat(parts) for parts in zip(*drawn, strict=True))
    truth = list(TRUTH)
    patients = [names, outcomes.drop(columns=truth), clinical]
    return pd.concat(patients, axis=1), pd.concat([names, outcomes[truth], latents], axis=1)


def _stream(
    settings: PhantomSettings, patient_id: str, purpose: Literal["outcome", "image"]
) -> np.random.Generator:
    """Return a patient's own source of random numbers."""
    center, number = patient_id.rsplit("-", 1)
    place = [*SPLIT_OF_CENTER].index(center)
    return np.random.default_rng([settings.seed, place, int(number), int(purpose == "image")])


def _claim(root: Path, settings: PhantomSettings) -> None:
    """Make the folder ours, or refuse one that holds something else."""
    mark = root / MARK
    remove_leftovers(root)
    if mark.exists():
        found = json.loads(mark.read_text())
        if found.get("fingerprint") != settings.fingerprint:
            version = found.get("version", "3 or earlier")
            raise CohortError(
                "the folder holds a phantom of other settings "
                f"({found.get('fingerprint')}, version {version})",
                where=str(root),
                expected=f"settings {settings.fingerprint}, version {settings.version}",
                remedy="Remove the folder, or write the new phantom to another one.",
            )
        return
    if root.exists() and any(root.iterdir()):
        raise CohortError(
            "the folder is not empty and holds no phantom",
            where=str(root),
            expected="a new or empty folder",
            remedy="Choose another folder for the phantom.",
        )
    root.mkdir(parents=True, exist_ok=True)
    write_bytes(mark, json.dumps(_mark(settings), indent=1).encode())


def _mark(settings: PhantomSettings) -> dict[str, object]:
    """Return what the file says that marks a folder as ours."""
    return {
        "phantom": True,
        "version": settings.version,
        "fingerprint": settings.fingerprint,
    }


def _is_ours(name: str) -> bool:
    """Return whether a folder's name is that of a phantom patient: others put there stay."""
    center, _, number = name.rpartition("-")
    return center in SPLIT_OF_CENTER and number.isdecimal()


def _remove_others(images: Path, wanted: set[str]) -> None:
    """Remove half-written patients and patients of a larger phantom of the same settings."""
    remove_leftovers(images)
    for folder in images.iterdir():
        if _is_ours(folder.name) and folder.name not in wanted:
            shutil.rmtree(folder)


def _write_all(
    images: Path,
    rows: list[dict[Any, Any]],
    settings: PhantomSettings,
    *,
    workers: int,
    progress: bool,
) -> None:
    if not rows:
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("making phantom patients"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        disable=not progress,
    )
    jobs = (delayed(write_patient)(images, row, settings) for row in rows)
    with bar:
        task = bar.add_task("patients", total=len(rows))
        for _ in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
            bar.advance(task)


def write_patient(images: Path, row: dict[Any, Any], settings: PhantomSettings) -> str:
    """Write the images of one row of the oracle; the folder appears when it is complete."""
    from threadpoolctl import threadpool_limits

    patient_id = row["patient_id"]
    # Small matrix products: threads that wait for each other on busy cores cost thirty times more.
    with threadpool_limits(1):
        scans = scan_patient(row, row["center"], settings, _stream(settings, patient_id, "image"))
    unfinished = temporary_path(images / f".{patient_id}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for phase, scan in scans.items():
        _write_nifti(unfinished / f"{phase}.nii.gz", scan.image, scan)
        if settings.regions == "per_phase":
            _write_nifti(unfinished / f"{phase}_regions.nii.gz", scan.regions, scan)
    if settings.regions == "one_map":
        drawn = scans["portal_venous"]
        _write_nifti(unfinished / "regions.nii.gz", drawn.regions, drawn)
    try:
        unfinished.rename(images / patient_id)
    except OSError:  # another process, of a killed run, was quicker with the same
        if not (images / patient_id).is_dir():
            raise
        shutil.rmtree(unfinished)
    return str(patient_id)


def _write_nifti(path: Path, voxels: npt.NDArray[Any], scan: PhantomScan) -> None:
    """Write through SimpleITK, then compress lightly: noise does not shrink much anyway."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing(scan.spacing)
    image.SetOrigin(scan.origin)
    plain = path.with_name(path.name.removesuffix(".gz"))
    SimpleITK.WriteImage(image, str(plain))
    path.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=1, mtime=0))
    plain.unlink()

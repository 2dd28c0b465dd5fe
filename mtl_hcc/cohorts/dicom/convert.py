"""From a DICOM tree to the contract's NIfTI folder: incremental, atomic, patient by patient."""

import errno
import hashlib
import json
import re
import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from joblib import Parallel, delayed
from rich.progress import track

from mtl_hcc.cohorts.dicom.header import Header
from mtl_hcc.cohorts.dicom.patient import ReadingRules, read_patient
from mtl_hcc.cohorts.dicom.pixels import write_nifti
from mtl_hcc.cohorts.dicom.scan import Scan
from mtl_hcc.errors import CohortError, MtlHccError

PatientFrom = Literal["tag", "folder"]
_VERSION = 1
"""Raise it when the conversion writes something else for the same input."""
_SAFE_NAME = re.compile(r"[^/\\:*?\"<>|\x00]+")


@dataclass(frozen=True)
class Job:
    """One patient to convert: everything that decides the result."""

    patient_id: str
    headers: list[Header]
    damaged: list[Path]
    masks: list[Path]
    rules: ReadingRules
    root: Path
    output: Path

    @property
    def folder(self) -> Path:
        """Where the patient's NIfTI files go."""
        return self.output / "images" / self.patient_id

    @property
    def record(self) -> Path:
        """The file that says what the folder was made from; written last."""
        return self.output / "conversion" / f"{self.patient_id}.json"

    def fingerprint(self) -> str:
        """Return a hash of the files (path, size, modification time) and the rules."""
        files = sorted((str(h.path.relative_to(self.root)), *h.stamp) for h in self.headers)
        masks = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in self.masks]
        damaged = sorted(str(path.relative_to(self.root)) for path in self.damaged)
        content = [_VERSION, files, masks, damaged, asdict(self.rules)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def group_by_patient(
    scan: Scan, patient_from: PatientFrom
) -> tuple[dict[str, list[Header]], list[tuple[str, str]]]:
    """Sort the headers by patient.

    Args:
        scan: What was found.
        patient_from: Take the patient's name from the PatientID ``tag``, or from the first
            ``folder`` below the root.

    Returns:
        Patient to headers; and ``(patient_id, reason)`` for names that cannot be used.
    """
    patients: dict[str, list[Header]] = defaultdict(list)
    reasons: list[tuple[str, str]] = []
    for header in scan.headers:
        folder = header.folder.split("/")[0]
        patients[header.patient_id if patient_from == "tag" else folder].append(header)
    for name in list(patients):
        if not name or name == ".":
            where = sorted({header.folder for header in patients.pop(name)})
            reasons.append(
                (
                    "(no name)",
                    f"files without PatientID, e.g. in {where[0]}. Set patient_from to folder and "
                    "let each patient's files lie in a folder of the patient's name.",
                )
            )
        elif not _SAFE_NAME.fullmatch(name) or name.startswith("."):
            patients.pop(name)
            reasons.append(
                (
                    name,
                    "this PatientID cannot be the name of a folder. Set patient_from to folder, "
                    "or export with other names.",
                )
            )
    return dict(patients), reasons


def convert_tree(
    scan: Scan,
    output: Path,
    rules: ReadingRules,
    *,
    patient_from: PatientFrom = "tag",
    masks: Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> list[tuple[str, str]]:
    """Write ``output/images/<patient_id>/`` for every patient whose input or rules changed.

    Args:
        scan: What was found in the tree.
        output: The NIfTI folder; made if absent. Folders that an earlier call made for patients
            who left the tree, or cannot be read any more, are removed.
        rules: How to read.
        patient_from: As in :func:`group_by_patient`.
        masks: Folder with ``<patient_id>/regions.nii.gz`` (or ``<phase>_regions.nii.gz``), which
            take the place of segmentations.
        workers: Processes, as in joblib.
        progress: Show a progress bar.

    Returns:
        ``(patient_id, reason)`` of every patient that could not be converted.

    Raises:
        CohortError: The disk is full.
    """
    patients, reasons = group_by_patient(scan, patient_from)
    for folder in ("images", "conversion"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    for record in (output / "conversion").glob("*.json"):
        if record.stem not in patients:
            _remove(output / "images" / record.stem, record)
    jobs = []
    placed: set[Path] = set()
    for name in sorted(patients):
        folders = {header.path.parent for header in patients[name]}
        damaged = [path for path in scan.damaged if path.parent in folders]
        placed.update(damaged)
        given = sorted(masks.glob(f"{name}/*regions.nii*")) if masks is not None else []
        jobs.append(Job(name, patients[name], damaged, given, rules, scan.root, output))
    reasons += [
        ("(no name)", f"{path.relative_to(scan.root)}: damaged DICOM file. Copy it again.")
        for path in scan.damaged
        if path not in placed
    ]
    results = Parallel(n_jobs=min(workers, len(jobs)) or 1, return_as="generator_unordered")(
        delayed(convert_patient)(job) for job in jobs
    )
    for name, reason in track(
        results, "Converting patients", total=len(jobs), disable=not progress
    ):
        if reason:
            reasons.append((name, reason))
    return sorted(reasons)


def convert_patient(job: Job) -> tuple[str, str]:
    """Convert one patient, unless the same was converted before.

    The files are written aside, then the folder is renamed into place: a folder under
    ``images/`` is complete or absent.

    Returns:
        Patient and the reason why it could not be converted (empty if it could).
    """
    fingerprint = job.fingerprint()
    if job.folder.is_dir() and _recorded(job.record) == fingerprint:
        return job.patient_id, ""
    _remove(job.folder, job.record)
    aside = job.output / "conversion" / f".{job.patient_id}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        sources = _write_patient(job, aside)
        aside.rename(job.folder)
        text = json.dumps({"fingerprint": fingerprint, "volumes": sources}, indent=1)
        partial = job.record.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(job.record)
    except MtlHccError as error:
        return job.patient_id, str(error)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CohortError(
                "the disk is full", where=str(job.output), remedy="Free space and run it again."
            ) from error
        return job.patient_id, f"patient {job.patient_id}: {error.strerror or error}"
    except Exception as error:  # one bad patient must not stop the others
        return job.patient_id, f"patient {job.patient_id}: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return job.patient_id, ""


def _write_patient(job: Job, folder: Path) -> dict[str, str]:
    read = read_patient(job.patient_id, job.headers, job.damaged, job.rules)
    folder.mkdir(parents=True)
    for phase, (voxels, grid) in read.images.items():
        write_nifti(folder / f"{phase}.nii.gz", voxels, grid)
    for phase, label_map in read.regions.items():
        name = "regions" if phase == "all" else f"{phase}_regions"
        write_nifti(folder / f"{name}.nii.gz", label_map.labels, label_map.grid)
    for mask in job.masks:
        for old in folder.glob("*regions.nii*"):
            if old.name.split(".")[0] == mask.name.split(".")[0]:
                old.unlink()
        shutil.copyfile(mask, folder / mask.name)
    return read.sources


def _recorded(record: Path) -> str:
    try:
        return str(json.loads(record.read_text())["fingerprint"])
    except (OSError, ValueError, KeyError):
        return ""


def _remove(folder: Path, record: Path) -> None:
    """Remove what an earlier conversion made; the record goes first, so it never lies."""
    record.unlink(missing_ok=True)
    if folder.is_dir():
        aside = record.with_name(f".{folder.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        folder.replace(aside)
        shutil.rmtree(aside)

"""From a DICOM tree to the contract's NIfTI folder: incremental, atomic, patient by patient.

What another hand put into the NIfTI folder or changed there stays: see ``own_files``.
"""

import errno
import hashlib
import json
import re
import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from joblib import Parallel, delayed
from rich.progress import track

from mtl_hcc.cohorts.dicom.dicom_files import DicomFiles
from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.cohorts.dicom.lost import Lost, check_lost, lost_by_nobody, lost_by_patient
from mtl_hcc.cohorts.dicom.own_files import (
    ConversionRecord,
    added,
    as_written,
    changed,
    read_conversion,
    write_conversion,
)
from mtl_hcc.cohorts.dicom.patient_volumes import ReadingRules, read_patient
from mtl_hcc.cohorts.dicom.pixels import write_nifti
from mtl_hcc.errors import CohortError, MtlHccError
from mtl_hcc.patient import KEPT

PatientFrom = Literal["tag", "folder"]
_READABLE = (".nii", ".nii.gz", ".nrrd", ".mha")
_VERSION = 3
"""Raise it when the conversion writes something else for the same input."""
_SAFE_NAME = re.compile(r"[^/\\:*?\"<>|\x00]+")


@dataclass(frozen=True)
class Job:
    """One patient to convert: everything that decides the result."""

    patient_id: str
    headers: list[DicomHeader]
    lost: Lost
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
        """The file that says what the folder was made from; without the folder it says nothing."""
        return self.output / "conversion" / f"{self.patient_id}.json"

    def fingerprint(self) -> str:
        """Return a hash of the files (path, size, modification time) and the rules."""
        files = sorted((str(h.path.relative_to(self.root)), *h.stamp) for h in self.headers)
        masks = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in self.masks]
        lost = [*self.lost.damaged, *self.lost.unreadable]
        damaged = sorted(str(path.relative_to(self.root)) for path in lost)
        content = [_VERSION, files, masks, damaged, asdict(self.rules)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def group_by_patient(
    dicom_files: DicomFiles, patient_from: PatientFrom
) -> tuple[dict[str, list[DicomHeader]], list[tuple[str, str]]]:
    """Sort the headers by patient.

    Args:
        dicom_files: What was found.
        patient_from: Take the patient's name from the PatientID ``tag``, or from the first
            ``folder`` below the root.

    Returns:
        Patient to headers; and ``(patient_id, reason)`` for names that cannot be used.
    """
    patients: dict[str, list[DicomHeader]] = defaultdict(list)
    reasons: list[tuple[str, str]] = []
    for header in dicom_files.headers:
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
        elif not _is_folder_name(name):
            patients.pop(name)
            reasons.append(
                (
                    name,
                    f"this PatientID of {len(name)} characters cannot be the name of a folder. "
                    "Set patient_from to folder, or export with other names.",
                )
            )
    return dict(patients), reasons


def _is_folder_name(name: str) -> bool:
    long = len(f".{name}.partial".encode()) > 255  # the limit of most file systems
    return (
        not long
        and name.isprintable()
        and not name.startswith(".")
        and bool(_SAFE_NAME.fullmatch(name))
    )


def convert_tree(
    dicom_files: DicomFiles,
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
        dicom_files: What was found in the tree.
        output: The NIfTI folder; made if absent. Folders that an earlier call made for patients
            who left the tree, or cannot be read any more, are removed, unless another hand changed
            them.
        rules: How to read.
        patient_from: As in :func:`group_by_patient`.
        masks: Folder with ``<patient_id>/regions.nii.gz`` (or ``<phase>_regions.nii.gz``), which
            take the place of segmentations.
        workers: Processes, as in joblib.
        progress: Show a progress bar.

    Returns:
        ``(patient_id, reason)`` of every patient that could not be converted or whose folder may
        not be used, and remarks (``"kept: ..."``) on others.

    Raises:
        CohortError: The disk is full.
    """
    patients, reasons = group_by_patient(dicom_files, patient_from)
    for folder in ("images", "conversion"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    reasons += _without_input(output, set(patients))
    jobs = []
    lost, nobody = lost_by_patient(dicom_files, patients)
    for name in sorted(patients):
        given = sorted((masks / name).glob("*regions.nii*")) if masks is not None else []
        own_rules = replace(rules, masks_elsewhere=bool(given))
        own = lost.get(name, Lost())
        jobs.append(Job(name, patients[name], own, given, own_rules, dicom_files.root, output))
    reasons += lost_by_nobody(nobody, dicom_files.root, by_folder=patient_from == "folder")
    results = Parallel(n_jobs=min(workers, len(jobs)) or 1, return_as="generator_unordered")(
        delayed(convert_patient)(job) for job in jobs
    )
    for name, told in track(results, "Converting patients", total=len(jobs), disable=not progress):
        reasons += [(name, reason) for reason in told]
    return sorted(reasons)


def _without_input(output: Path, patients: set[str]) -> list[tuple[str, str]]:
    """Remove what was converted from patients who left the tree; say what stays."""
    reasons = []
    folders = {path.name for path in (output / "images").iterdir() if path.is_dir()}
    recorded = {path.stem: path for path in (output / "conversion").glob("*.json")}
    for name in sorted(folders - patients - set(recorded)):
        if not name.startswith("."):
            told = "was not converted from the DICOM tree; it is used as it is"
            reasons.append((name, f"{KEPT}patient {name}, images/{name}: {told}"))
    for name in sorted(set(recorded) - patients):
        folder, record = output / "images" / name, read_conversion(recorded[name])
        foreign = [*added(folder, record), *changed(folder, record)]
        if foreign:
            told = f"no DICOM files any more, but {_listed(foreign)} of another hand; not used"
            remedy = "Add the DICOM files again, or move what you need and remove the folder"
            reasons.append((name, f"patient {name}, images/{name}: {told}. {remedy}."))
        else:
            _remove(folder, recorded[name])
    return reasons


def convert_patient(job: Job) -> tuple[str, list[str]]:
    """Convert one patient, unless the same was converted before.

    The files are written aside, then the folder is renamed into place: a folder under
    ``images/`` is complete or absent.

    Returns:
        Patient, and the reason why it could not be converted, or remarks on it.
    """
    fingerprint, record = job.fingerprint(), read_conversion(job.record)
    foreign, edited = added(job.folder, record), changed(job.folder, record)
    complete = all((job.folder / name).is_file() for name in record.files)
    same = record.fingerprint == fingerprint and job.folder.is_dir() and complete
    if any(not same or name.endswith(_READABLE) for name in foreign) or (edited and not same):
        return job.patient_id, [_of_another_hand(job, foreign, edited)]
    if same:
        remarks = [KEPT + remark for remark in record.remarks]
        if edited:
            told = f"{_listed(edited)} changed by hand since the conversion; used as it is"
            remarks.append(f"{KEPT}patient {job.patient_id}, images/{job.patient_id}: {told}")
        return job.patient_id, remarks
    _remove(job.folder, job.record)
    aside = job.output / "conversion" / f".{job.patient_id}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        volumes, remarks = _write_patient(job, aside)
        # Before the folder: one without a record would seem to be another hand's.
        write_conversion(
            job.record, ConversionRecord(fingerprint, volumes, remarks, as_written(aside))
        )
        aside.rename(job.folder)
    except MtlHccError as error:
        return job.patient_id, [str(error)]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CohortError(
                "the disk is full", where=str(job.output), remedy="Free space and run it again."
            ) from error
        return job.patient_id, [f"patient {job.patient_id}: {error.strerror or error}"]
    except Exception as error:  # one bad patient must not stop the others
        return job.patient_id, [f"patient {job.patient_id}: {type(error).__name__}: {error}"]
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return job.patient_id, [KEPT + remark for remark in remarks]


def _of_another_hand(job: Job, foreign: list[str], edited: list[str]) -> str:
    """Say why a folder is neither replaced nor used, and where hand-drawn masks belong."""
    found = [f"{_listed(foreign)} that the conversion did not write"] if foreign else []
    found += [f"{_listed(edited)} changed by hand, while the input changed too"] if edited else []
    error = CohortError(
        f"holds {' and '.join(found)}; nothing there is replaced or used",
        where=f"patient {job.patient_id}, images/{job.patient_id}",
        remedy=f"Move hand-drawn masks to <folder>/{job.patient_id}/regions.nii.gz (or "
        "<phase>_regions.nii.gz), name that folder with masks (data.source.masks), and remove "
        f"images/{job.patient_id} from {job.output}; or set output to another folder.",
    )
    return str(error)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _write_patient(job: Job, folder: Path) -> tuple[dict[str, str], list[str]]:
    check_lost(job.headers, job.lost, job.root, where=f"patient {job.patient_id}")
    read = read_patient(job.patient_id, job.headers, job.lost.damaged, job.rules, masks=job.masks)
    folder.mkdir(parents=True)
    for phase, (voxels, grid) in read.images.items():
        write_nifti(folder / f"{phase}.nii.gz", voxels, grid)
    for phase, label_map in read.regions.items():
        name = "regions" if phase == "all" else f"{phase}_regions"
        write_nifti(folder / f"{name}.nii.gz", label_map.labels, label_map.grid)
    for mask in job.masks:
        shutil.copyfile(mask, folder / mask.name)
    return read.sources, read.remarks


def _remove(folder: Path, record: Path) -> None:
    """Remove what an earlier conversion made; the record goes last, so nothing of ours is lost."""
    if folder.is_dir():
        aside = record.with_name(f".{folder.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        folder.replace(aside)
        shutil.rmtree(aside)
    record.unlink(missing_ok=True)

"""A cohort as the contract has it: one table, and one folder of NIfTI files per patient.

::

    cohort/
      patients.csv
      images/<patient_id>/<phase>.nii.gz
      images/<patient_id>/<phase>_regions.nii.gz   label map drawn on that phase, or
      images/<patient_id>/regions.nii.gz           one label map for all phases

CT is in HU. Labels: 0 background, 1 liver, 2 tumor, 3 lesser omental adipose tissue. ``.nii``
does as well as ``.nii.gz``. Endpoints and units of ``patients.csv``: see
``mtl_hcc.cohorts.patient_table``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from mtl_hcc.cohorts.patient_table import BadLabels, read_patient_table
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.cohorts.table_file import unreadable
from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES, MRI_PHASES, Cohort, Patient

SUFFIXES = (".nii.gz", ".nii")
_MASK = re.compile(r"region|mask|seg|label|roi|contour|drawing")
KNOWN_PHASES = tuple(dict.fromkeys((*CT_PHASES, *MRI_PHASES)))


class NiftiFolder(CohortSource):
    """Reads the folder layout of the contract.

    Whether a patient has all the phases that a study needs is decided when the images are
    prepared (``missing_phase``), not here.

    Args:
        table: File name of the clinical table inside the folder.
        columns: Contract name (``os_days``) to the user's column (``"OS (d)"``).
        missing_values: Texts that mean *not known*, besides the empty cell and NA.
        bad_labels: Leave out a patient with a value that cannot be true, or empty that endpoint.
        phases: Phases to look for; all known ones if not given.

    Example:
        >>> source = NiftiFolder(columns={"os_days": "OS (d)"}, missing_values=["?"])
    """

    def __init__(
        self,
        *,
        table: str = "patients.csv",
        columns: dict[str, str] | None = None,
        missing_values: Sequence[str] = (),
        bad_labels: BadLabels = "quarantine",
        phases: Sequence[str] | None = None,
    ) -> None:
        self.table = table
        self.columns = dict(columns or {})
        self.missing_values = tuple(missing_values)
        self.bad_labels: BadLabels = bad_labels
        self.phases = tuple(phases) if phases is not None else KNOWN_PHASES

    def read(self, root: Path) -> Cohort:
        """Return the cohort at ``root``; patients without usable files are in quarantine."""
        root = Path(root)
        _check_root(root, self.table)
        table, quarantine = read_patient_table(
            root / self.table,
            columns=self.columns,
            missing_values=self.missing_values,
            bad_labels=self.bad_labels,
        )
        folders = {folder.name: folder for folder in _folders(root / "images")}
        patients: dict[str, Patient] = {}
        reasons: list[tuple[str, str]] = []
        for name in map(str, table.index):
            if name not in folders:
                reasons.append((name, _no_folder(name, folders)))
                continue
            found = find_files(folders[name], self.phases)
            if isinstance(found, str):
                reasons.append((name, found))
            else:
                patients[name] = Patient(name, *found)
        known = {*table.index, *quarantine["patient_id"]}
        reasons += [
            (name, f"images/{name}: images without a row in {self.table}; add the patient there")
            for name in folders
            if name not in known
        ]
        if not patients:
            raise CohortError(
                f"no patient of {self.table} has images; the first reason: {reasons[0][1]}",
                where=str(root),
                expected="images/<patient_id>/<phase>.nii.gz",
                remedy="Name the folders after the patient_id of the table.",
            )
        rows = pd.DataFrame(reasons, columns=["patient_id", "reason"]).assign(step="images")
        quarantine = pd.concat([quarantine, rows[list(quarantine)]], ignore_index=True)
        return Cohort(root, table.loc[list(patients)], patients, quarantine)


def find_files(
    folder: Path, phases: Iterable[str]
) -> tuple[Mapping[str, Path], Mapping[str, Path]] | str:
    """Return one patient's images and label maps by phase, or why the patient cannot be used.

    Args:
        folder: The patient's folder.
        phases: Names of the phases to look for.
    """
    images: dict[str, Path] = {}
    regions: dict[str, Path] = {}
    where = f"images/{folder.name}"
    for name in ("regions", *phases, *(f"{phase}_regions" for phase in phases)):
        files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
        files = [file for file in files if file.is_file()]
        if len(files) > 1:
            return f"{where}: both {files[0].name} and {files[1].name}; remove one of them"
        if files and name.endswith("regions"):
            regions[name] = files[0]
        elif files:
            images[name] = files[0]
    listing = ", ".join(sorted(file.name for file in islice(folder.iterdir(), 12))) or "nothing"
    if not images:
        names = ", ".join(f"{phase}.nii.gz" for phase in phases)
        return f"{where}: no image of a known phase (found {listing}); add one of {names}"
    misnamed = _misnamed(folder, images, regions)
    if misnamed:
        return (
            f"{where}: {misnamed} looks like a region map and is not read; name it regions.nii.gz, "
            "or <phase>_regions.nii.gz after one of the images, or move it away"
        )
    drawn = {phase: regions.get(f"{phase}_regions", regions.get("regions")) for phase in images}
    masks = {phase: file for phase, file in drawn.items() if file is not None}
    if not masks:
        return (
            f"{where}: no region map (found {listing}); add regions.nii.gz or "
            "<phase>_regions.nii.gz with 1 liver, 2 tumor, 3 LOAT"
        )
    return images, masks


def _misnamed(folder: Path, images: Iterable[str], regions: Iterable[str]) -> str:
    """Return a file that seems to be meant as the map of a phase that has none of its own.

    Passed over, the phase would take the map of another one without a word.
    """
    alone = [phase for phase in images if f"{phase}_regions" not in regions]
    known = {"regions", *(f"{phase}_regions" for phase in (*KNOWN_PHASES, *images))}
    for path in sorted(folder.iterdir()):
        if not path.name.endswith(SUFFIXES) or path.name.startswith("."):
            continue
        name = path.name.removesuffix(".gz").removesuffix(".nii")
        plain = name.casefold()
        if name in known or not _MASK.search(plain):
            continue
        of_phase = any(plain.startswith(phase) for phase in alone)
        if alone and (of_phase or plain.endswith("_regions") or plain in ("regions", "region")):
            return path.name
    return ""


def _folders(images: Path) -> list[Path]:
    """Return the patients' folders, hidden ones left out."""
    folders = (path for path in images.iterdir() if path.is_dir())
    return sorted(path for path in folders if not path.name.startswith("."))


def _no_folder(name: str, folders: Iterable[str]) -> str:
    """Say that a patient has no folder, and whether another spelling of the name has one."""
    plain = name.lstrip("0").casefold()
    other = [folder for folder in folders if folder.lstrip("0").casefold() == plain]
    hint = f" (did a spreadsheet change the name? images/{other[0]} exists)" if other else ""
    return f"no folder images/{name}{hint}; add the images or remove the patient from the table"


def _check_root(root: Path, table: str) -> None:
    """Say what is wrong with a folder that is no NIfTI cohort, and which source would fit."""
    layout = f"{table} and images/<patient_id>/<phase>.nii.gz"
    if not root.exists():
        raise CohortError(
            "no such folder",
            where=str(root),
            expected=f"a cohort folder with {layout}",
            remedy="Correct the path given with --data.cohort.",
        )
    if root.is_file():
        raise CohortError(
            "a file was given, not a folder",
            where=str(root),
            expected=f"a cohort folder with {layout}",
            remedy="For a table without images use --data.source ClinicalTable.",
        )
    if (root / table).is_file() and (root / "images").is_dir():
        return
    if _holds_dicom(root):
        raise CohortError(
            "the folder holds DICOM files",
            where=str(root),
            expected=f"a cohort folder with {layout}",
            remedy="Use --data.source DicomTree, which converts them.",
        )
    absent = table if not (root / table).is_file() else "images"
    raise CohortError(
        unreadable(root / absent) or f"no {absent} in the folder",
        where=str(root),
        expected=layout,
        remedy="Add it, or name the table with --data.source.table."
        if absent == table
        else "Add the patients' folders; for a table without images use "
        "--data.source ClinicalTable.",
    )


def _holds_dicom(root: Path) -> bool:
    """Look into the first files below ``root`` for the DICOM preamble."""
    for path in islice((path for path in root.rglob("*") if path.is_file()), 200):
        with path.open("rb") as file:
            if file.read(132)[128:] == b"DICM":
                return True
    return False

"""Whose the files are that cannot be read: a phase may lie there, so the patient has to be told."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtl_hcc.cohorts.dicom.dicom_files import DicomFiles
from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.errors import ImageError


@dataclass
class Lost:
    """What cannot be read of one patient (or of nobody known).

    Attributes:
        damaged: DICOM files whose header cannot be read.
        unreadable: Folders and files that the system does not let us open, and why.
    """

    damaged: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


def lost_by_patient(
    dicom_files: DicomFiles, patients: Mapping[str, list[DicomHeader]]
) -> tuple[dict[str, Lost], Lost]:
    """Sort by patient what cannot be read.

    A file belongs to those who have files in the same folder; else to the one patient who has
    files in the folders beside it.

    Returns:
        Patient to what cannot be read, and what belongs to nobody known.
    """
    owners = _Owners(dicom_files.root, patients)
    found: dict[str, Lost] = defaultdict(Lost)
    nobody = Lost()
    for path in dicom_files.damaged:
        for each in [found[name] for name in owners.of(path)] or [nobody]:
            each.damaged.append(path)
    for path, why in dicom_files.unreadable.items():
        for each in [found[name] for name in owners.of(path)] or [nobody]:
            each.unreadable[path] = why
    return dict(found), nobody


class _Owners:
    """Who has files in a folder, and in the folders right below it."""

    def __init__(self, root: Path, patients: Mapping[str, list[DicomHeader]]) -> None:
        self._inside: dict[Path, set[str]] = defaultdict(set)
        self._above: dict[Path, set[str]] = defaultdict(set)
        for name, headers in patients.items():
            for folder in {header.path.parent for header in headers}:
                self._inside[folder].add(name)
                if root not in (folder, folder.parent):
                    self._above[folder.parent].add(name)

    def of(self, path: Path) -> list[str]:
        """Return the patients that a file or folder belongs to."""
        if path.parent in self._inside:
            return sorted(self._inside[path.parent])
        for folder in (path.parent, path.parent.parent):
            names = self._above.get(folder, set())
            if len(names) == 1:
                return sorted(names)
        return []


def lost_by_nobody(nobody: Lost, root: Path, *, by_folder: bool) -> list[tuple[str, str]]:
    """Return ``(patient_id, reason)`` of what cannot be read and belongs to no patient known.

    Args:
        nobody: From :func:`lost_by_patient`.
        root: Root of the tree.
        by_folder: The first folder below the root names the patient.
    """
    told = [(path, "damaged DICOM file. Copy it again.") for path in nobody.damaged]
    told += [
        (
            path,
            f"cannot be opened ({why}), and whose it is is not known. Allow this user to read it, "
            "or mend or remove the link.",
        )
        for path, why in nobody.unreadable.items()
    ]
    reasons = []
    for path, text in told:
        place = path.relative_to(root)
        name = place.parts[0] if by_folder and place.parts else "(no name)"
        reasons.append((name, f"{place}: {text}"))
    return reasons


def check_lost(headers: list[DicomHeader], lost: Lost, root: Path, *, where: str) -> None:
    """Refuse a patient of whom a phase may lie where nothing can be read.

    Damaged files in a folder of readable ones are looked at when that volume is needed.

    Raises:
        ImageError: Something cannot be opened, or all files of a folder are damaged.
    """
    expected = "that all of the patient's files can be read: a phase may be there"
    for path, why in lost.unreadable.items():
        raise ImageError(
            f"{path.relative_to(root)} cannot be opened ({why})",
            where=where,
            expected=expected,
            remedy="Allow this user to read it, mend or remove the link, or move it out of the "
            "tree.",
        )
    folders = sorted({path.parent for path in lost.damaged} - {h.path.parent for h in headers})
    if folders:
        count = sum(path.parent == folders[0] for path in lost.damaged)
        raise ImageError(
            f"all {count} DICOM files in {folders[0].relative_to(root)} are damaged or truncated",
            where=where,
            expected=expected,
            remedy="Copy or export them again, or remove them.",
        )

"""What a patient was prepared from: quick marks (size, times) and content hashes of the files."""

import hashlib
from pathlib import Path
from typing import Any

from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.patient import Patient


def quick_marks(patient: Patient, preparation: Preparation) -> dict[str, Any]:
    """Return recipe, and name, size and times of every file: equal marks mean nothing changed."""
    marks: dict[str, Any] = {"recipe": preparation.fingerprint()}
    for role, path in _files(patient, preparation).items():
        marks[role] = [str(path.absolute()), *file_state(path)]
    return marks


def file_state(path: Path) -> tuple[int, int, int]:
    """Return size, and times of the last change of content and of the file's entry, in ns.

    Links are followed. An archive or a copy may give another content the old date, and a mask that
    is not compressed has the old size; the entry's time (``st_ctime_ns``) cannot be set back. Where
    a file only looks changed, its content is hashed before anything is prepared again.

    Args:
        path: The file; -1 thrice when it cannot be reached.
    """
    try:
        found = path.stat()
    except OSError:
        return (-1, -1, -1)
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def content_fingerprint(patient: Patient, preparation: Preparation) -> str:
    """Return the hash of the recipe and of all bytes it is applied to; names do not matter."""
    total = hashlib.sha256(preparation.fingerprint().encode())
    known: dict[Path, str] = {}
    for role, path in _files(patient, preparation).items():
        if path not in known:
            known[path] = _hash(path)
        total.update(f"{role} {known[path]}\n".encode())
    return total.hexdigest()


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _files(patient: Patient, preparation: Preparation) -> dict[str, Path]:
    """Return ``<role>/<phase>`` to file, for the phases that the recipe uses."""
    return {
        f"{role}/{phase}": Path(files[phase])
        for phase in preparation.phases
        for role, files in (("image", patient.images), ("regions", patient.regions))
        if phase in files
    }

"""Whether files are those of last time: of a whole cohort by one hash, of each patient by marks."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.patient import Patient

TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods", ".json", ".yaml", ".yml")
"""Endings of files that are small enough to be hashed by content, and written again by programs."""


def files_hash(cohort: Path, besides: Iterable[Path], *, store: Path) -> str:
    """Return a hash of a cohort's files: tables by content, others by name, size and times.

    Links to files and folders are followed. What is no regular file (a pipe, a socket, a link that
    leads nowhere) cannot hold data and is passed over.

    Args:
        cohort: Folder or file of the cohort.
        besides: Files and folders that its source reads elsewhere (``CohortSource.reads``).
        store: Passed over where it lies inside: it is made from the rest.
    """
    digest = hashlib.sha256()
    for place in dict.fromkeys([cohort, *besides]):
        for path in _files(place, store.resolve()):
            by_content = path == place or path.suffix.lower() in TABLES
            digest.update(f"{path} {_state(path, by_content=by_content)}\n".encode())
    return digest.hexdigest()


def states_elsewhere(patients: Iterable[Patient], cohort: Path) -> dict[str, list[int]]:
    """Return path to state of the patients' files outside the cohort's folder.

    Such are the files that a reader converts to, and those of a reader that keeps to itself where
    it looks. They are listed as the reader gave them.

    Args:
        patients: As the source gave them.
        cohort: The cohort's folder, whose files :func:`files_hash` knows.
    """
    files = {
        path
        for patient in patients
        for path in (*patient.images.values(), *patient.regions.values())
    }
    paths = sorted(path for path in map(Path, files) if not path.is_relative_to(cohort))
    return {str(path.absolute()): [*file_state(path)] for path in paths}


def same_elsewhere(states: dict[str, list[int]]) -> bool:
    """Return whether the files listed by :func:`states_elsewhere` are as they were."""
    return all([*file_state(Path(path))] == state for path, state in states.items())


def _files(place: Path, store: Path) -> Iterator[Path]:
    """Yield the regular files at or below a place, each folder once however it is linked."""
    if _is_regular(place):
        yield place
        return
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(place, followlinks=True):
        try:
            found = Path(folder).stat()
        except OSError:  # removed meanwhile
            continue
        again = (found.st_dev, found.st_ino) in seen  # a link to a folder above would never end
        inside_store = folder != str(place) and Path(folder).resolve() == store
        folders[:] = [] if again or inside_store else sorted(folders)
        seen.add((found.st_dev, found.st_ino))
        if not again and not inside_store:
            yield from (path for name in sorted(names) if _is_regular(path := Path(folder, name)))


def _is_regular(path: Path) -> bool:
    """Return whether a path leads to a regular file: to open another kind may wait for ever."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _state(path: Path, *, by_content: bool) -> str:
    """Return the hash of a file's content, or its size and times."""
    if by_content:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:  # no permission: the source says so if it needs the file
            pass
    return " ".join(map(str, file_state(path)))


def quick_marks(patient: Patient, preparation: Preparation) -> dict[str, Any]:
    """Return recipe, and name, size and times of every file: equal marks mean nothing changed."""
    marks: dict[str, Any] = {"recipe": preparation.fingerprint()}
    for role, path in _patient_files(patient, preparation).items():
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
    for role, path in _patient_files(patient, preparation).items():
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


def _patient_files(patient: Patient, preparation: Preparation) -> dict[str, Path]:
    """Return ``<role>/<phase>`` to file, for the phases that the recipe uses."""
    return {
        f"{role}/{phase}": Path(files[phase])
        for phase in preparation.phases
        for role, files in (("image", patient.images), ("regions", patient.regions))
        if phase in files
    }

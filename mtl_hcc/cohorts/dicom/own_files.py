"""Which files of the NIfTI folder the conversion wrote itself: only these it replaces or removes.

Somebody may have drawn a mask into the folder, or edited one, or the table. A record says of each
file that was written its size, time and hash; whatever differs is another hand's work and stays.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import CohortError

TABLE = "patients.csv"
_TABLE_RECORD = "conversion.json"
_OF_NOBODY = ("Thumbs.db", "desktop.ini")
"""Files that the operating system puts into folders, besides hidden ones."""


@dataclass(frozen=True)
class Written:
    """One file as it was written; size and time spare reading it again."""

    size: int
    time_ns: int
    sha256: str


@dataclass(frozen=True)
class ConversionRecord:
    """What a patient's folder was made from, and its files as they were written.

    Attributes:
        fingerprint: Hash of the input and the rules; empty if nothing is known.
        volumes: Phase to the name of the volume it came from.
        remarks: What somebody should know who looks at this patient.
        files: File name to how it was written.
    """

    fingerprint: str = ""
    volumes: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    files: dict[str, Written] = field(default_factory=dict)


def read_conversion(path: Path) -> ConversionRecord:
    """Return a record; an empty one if there is none, or one that lists no files.

    Args:
        path: The JSON file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        files = {name: Written(**written) for name, written in found["files"].items()}
        return ConversionRecord(found["fingerprint"], found["volumes"], found["remarks"], files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ConversionRecord()


def write_conversion(path: Path, record: ConversionRecord) -> None:
    """Write a record, whole or not at all.

    Args:
        path: The JSON file.
        record: What to write.
    """
    write_bytes(path, json.dumps(asdict(record), indent=1).encode())


def as_written(folder: Path) -> dict[str, Written]:
    """Return the files of a folder that was just written.

    Args:
        folder: Of one patient.
    """
    return {path.name: _state(path) for path in sorted(folder.iterdir())}


def added(folder: Path, record: ConversionRecord) -> list[str]:
    """Return what lies in a folder that the conversion did not write.

    Args:
        folder: Of one patient; may be absent.
        record: What was written.
    """
    return [name for name in _names(folder) if name not in record.files]


def changed(folder: Path, record: ConversionRecord) -> list[str]:
    """Return which files of the conversion have another content by now; removed ones do not count.

    Args:
        folder: Of one patient; may be absent.
        record: What was written.
    """
    return [
        name
        for name in _names(folder)
        if name in record.files and not _same(folder / name, record.files[name])
    ]


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if not name.startswith(".") and name not in _OF_NOBODY]


def _state(path: Path) -> Written:
    found = path.stat()
    with path.open("rb") as file:
        return Written(
            found.st_size, found.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()
        )


def _same(path: Path, written: Written) -> bool:
    if not path.is_file():
        return False
    found = path.stat()
    if found.st_size != written.size:
        return False
    return found.st_mtime_ns == written.time_ns or _state(path).sha256 == written.sha256


def check_table(output: Path, content: bytes, *, origin: Path) -> None:
    """Refuse to write the table over one that another hand wrote or edited.

    Args:
        output: The NIfTI folder.
        content: What is to be written.
        origin: The clinical table that it is made from, for the message.

    Raises:
        CohortError: ``patients.csv`` is there, and neither equal nor written by an earlier call.
    """
    path = output / TABLE
    if not path.exists() or path.read_bytes() == content or _hash(path) in _own_tables(output):
        return
    raise CohortError(
        f"{TABLE} was written or edited by another hand, and would be overwritten",
        where=str(path),
        expected=f"no {TABLE} there, or the one of an earlier conversion",
        remedy=f"Make the change in {origin}, from which it is written, and remove this one; or "
        "set output to another folder (data.source.output).",
    )


def write_table(output: Path, content: bytes) -> None:
    """Write the table and keep its hash, so that a later call knows it as ours.

    Args:
        output: The NIfTI folder; :func:`check_table` has been called.
        content: The table.
    """
    path = output / TABLE
    if path.exists() and path.read_bytes() == content:
        return
    # Known before it is there: a kill in between must not leave a table that seems another hand's.
    known = [_hash(path)] if path.exists() else []
    _keep_tables(output, [*known, hashlib.sha256(content).hexdigest()])
    write_bytes(path, content)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _own_tables(output: Path) -> list[str]:
    try:
        return [str(each) for each in json.loads((output / _TABLE_RECORD).read_text())[TABLE]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _keep_tables(output: Path, hashes: Iterable[str]) -> None:
    write_bytes(output / _TABLE_RECORD, json.dumps({TABLE: list(hashes)}).encode())

"""Files appear whole or not at all: temporary file, flush to disk, rename."""

import contextlib
import errno
import os
from pathlib import Path

from mtl_hcc.errors import StoreError

TEMPORARY = ".tmp"


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; after a crash the old file or the new one is there, whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreError(
            f"the disk is full, {len(content) / 1e6:.1f} MB were needed",
            where=str(path),
            remedy="Nothing half-written remains. Free some space or name another folder, "
            "and run the same command again: it goes on where it stopped.",
        ) from error


def remove_leftovers(folder: Path) -> int:
    """Remove temporary files that a killed run left in ``folder``; return how many."""
    leftovers = list(folder.glob(f"*{TEMPORARY}")) if folder.is_dir() else []
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)

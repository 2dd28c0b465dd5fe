"""Files appear whole or not at all: temporary file, flush to disk, rename."""

import contextlib
import errno
import os
import platform
import re
import shutil
import time
from pathlib import Path

from mtl_hcc.errors import StoreError

TEMPORARY = ".tmp"
_WRITER = re.compile(r"\.(?:(?P<host>\w+)-)?(?P<process>\d+)" + re.escape(TEMPORARY) + "$")
_HOST = re.sub(r"\W", "_", platform.node())[:32] or "here"
_GIVEN_UP = 24 * 3600
"""Seconds after which a temporary file of another machine belongs to nobody any more."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; after a crash the old file or the new one is there, whole."""
    temporary = temporary_path(path)
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


def temporary_path(path: Path) -> Path:
    """Return where this process writes ``path`` before it is whole; the name tells whose it is.

    Args:
        path: The file or folder.
    """
    return path.with_name(f"{path.name}.{_HOST}-{os.getpid()}{TEMPORARY}")


def remove_leftovers(folder: Path) -> int:
    """Remove temporary files and folders that killed processes left; return how many.

    What a process that is still running writes stays, and what :func:`temporary_path` did not name.

    Args:
        folder: Looked through, its subfolders are not.
    """
    leftovers = [path for path in folder.glob(f"*{TEMPORARY}") if _left_behind(path)]
    for path in leftovers:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)


def _left_behind(path: Path) -> bool:
    """Return whether the process that wrote a temporary file is gone."""
    writer = _WRITER.search(path.name)
    if writer is None:
        return False
    if os.name == "posix" and writer["host"] in (None, _HOST):
        return not _is_running(int(writer["process"]))
    with contextlib.suppress(OSError):  # of another machine: its processes cannot be seen
        return time.time() - path.stat().st_mtime > _GIVEN_UP
    return False


def _is_running(process: int) -> bool:
    """Return whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True

"""Whether files can be written where a command was told to: looked at before it computes."""

import os
from pathlib import Path

from mtl_hcc.errors import ConfigError


def check_output_folder(folder: Path, setting: str) -> None:
    """Refuse a folder that cannot be made or written, before anything is computed.

    Args:
        folder: Where files are to be written; it need not be there yet.
        setting: That named it, for the message.

    Raises:
        ConfigError: A file has its name, or that of a folder above it, or it cannot be written.
    """
    _check_place(folder, f"{setting} {folder}")


def check_output_file(file: Path, setting: str) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Args:
        file: To be written; an earlier one is replaced.
        setting: That named it, for the message.

    Raises:
        ConfigError: A folder has its name, or its folder cannot be made or written.
    """
    where = f"{setting} {file}"
    if file.is_dir():
        raise ConfigError(
            "it is a folder",
            where=where,
            expected="the name of a file",
            remedy=f"Name a file in it, e.g. {file / 'predictions.csv'}.",
        )
    _check_place(file.parent, where)


def _check_place(folder: Path, where: str) -> None:
    """Find the part of a path that is there, and see that folders and files can be made in it."""
    place = Path.cwd() / folder  # a relative path's parents end at "."
    while not place.exists() and not place.is_symlink():
        place = place.parent
    if not place.is_dir():
        raise ConfigError(
            f"{place} is a file" if place.exists() else f"{place} is a link that leads nowhere",
            where=where,
            expected="a folder",
            remedy="Name another folder, or move it away.",
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(
            f"nothing can be written into {place}",
            where=where,
            remedy="Name another folder, or ask for the permission.",
        )

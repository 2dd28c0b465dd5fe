"""What every reader of a cohort promises: a folder or a file in, a checked cohort out."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mtl_hcc.patient import Cohort


class CohortSource(ABC):
    """Reads one kind of cohort.

    To add a public data set or a hospital's own layout, subclass this in a file of its own, export
    it from ``mtl_hcc.cohorts`` and name it in the YAML under ``data.source``. Constructor
    arguments are keyword-only; they are what the YAML offers.
    """

    @abstractmethod
    def read(self, root: Path) -> Cohort:
        """Return the cohort found at ``root``.

        Args:
            root: Folder, or for a cohort without images the file, that holds the cohort.

        Returns:
            The checked cohort. Patients that cannot be used are in its quarantine, with a reason.

        Raises:
            CohortError: The folder as a whole cannot be used.
            TableError: The clinical table as a whole cannot be used.
        """

    def reads(self, root: Path) -> Sequence[Path]:
        """Return files and folders that are read besides what lies in ``root``.

        A prepared store is renewed when one of them changes. By default every setting that is a
        path, but for ``output``, which is written; override it where a source knows of others, or
        where a setting may be the bare name of a folder.

        Args:
            root: As in :meth:`read`. A setting is looked for there and in the working folder.
        """
        paths = [
            value for name, value in vars(self).items() if name != "output" and _is_path(value)
        ]
        return [place for path in paths for place in (root / path, Path(path))]


def _is_path(value: object) -> bool:
    """Return whether a setting is a path: a word alone may be anything."""
    separators = {os.sep, os.altsep or os.sep}
    return isinstance(value, Path) or (isinstance(value, str) and not separators.isdisjoint(value))


def describe(part: object) -> str:
    """Return a class and its settings as one line, e.g. ``KFold(folds=5, seed=0)``.

    Args:
        part: The source of a cohort, or a split.
    """
    written = ", ".join(
        f"{name}={repr(value) if _is_plain(value) else describe(value)}"
        for name, value in sorted(vars(part).items())
    )
    return f"{type(part).__name__}({written})"


def _is_plain(value: object) -> bool:
    """Return whether a setting is of a type of Python itself, whose ``repr`` says it all."""
    return type(value).__module__ in ("builtins", "pathlib")

"""What every reader of a cohort promises: a folder or a file in, a checked cohort out."""

from abc import ABC, abstractmethod
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

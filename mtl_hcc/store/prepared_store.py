"""The prepared store: one memory-mapped file per patient, tables beside them, no SimpleITK."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.prepared_patient import PreparedPatient
from mtl_hcc.spreadsheet_cells import restored
from mtl_hcc.store.prepared_file import check_content, read_prepared

_CHECKED: dict[Path, tuple[str, str, int, int]] = {}
"""Files of prepared patients whose content this process has checked, and their state then."""


class PreparedStore:
    """A folder of prepared patients.

    ::

        store/
          patients/<patient_id>.safetensors
          manifest.csv      patient_id, file, fingerprint, sha256, quality
          patients.csv      the cohort's checked table
          quarantine.csv    who was left out, and why
          preparation.json  recipe and versions

    Args:
        root: The folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if not (self.root / "manifest.csv").is_file():
            raise StoreError(
                "no manifest.csv",
                where=str(self.root),
                expected="a prepared store",
                remedy="Run prepare with this folder as its output, or point to another one.",
            )

    def __repr__(self) -> str:
        """Name the folder."""
        return f"PreparedStore({str(self.root)!r})"

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row per prepared patient: ``patient_id, file, fingerprint, sha256``, the quality.

        ``fingerprint`` is the hash of what the patient was prepared from, ``sha256`` that of what
        was made of it.
        """
        manifest = self._table("manifest.csv")
        if "sha256" not in manifest:
            raise StoreError(
                "no column sha256: an earlier version made the store",
                where=str(self.root / "manifest.csv"),
                remedy="Run prepare again where the cohort is; it makes the store anew.",
            )
        return manifest

    @cached_property
    def table(self) -> pd.DataFrame:
        """The cohort's checked table, indexed by ``patient_id``; NaN = missing label."""
        return self._table("patients.csv").set_index("patient_id")

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """``patient_id, step, reason`` of everybody who was left out."""
        return self._table("quarantine.csv")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What ``preparation.json`` holds: recipe, its fingerprint, versions."""
        path = self.root / "preparation.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{error}", where=str(path), remedy="Run prepare again.") from error
        return content

    @cached_property
    def _files(self) -> dict[str, str]:
        return dict(zip(self.manifest["patient_id"], self.manifest["file"], strict=True))

    def __len__(self) -> int:
        """Return the number of prepared patients."""
        return len(self._files)

    def path(self, patient_id: str) -> Path:
        """Return the file of one patient."""
        if patient_id not in self._files:
            left_out = self.quarantine.set_index("patient_id")["reason"].get(patient_id)
            reason = f"was left out: {left_out}" if left_out is not None else "is not in the store"
            raise StoreError(
                f"patient {patient_id} {reason}",
                where=str(self.root),
                remedy="See quarantine.csv, mend the images and run prepare again.",
            )
        return self.root / self._files[patient_id]

    @cached_property
    def _content(self) -> dict[str, str]:
        return dict(zip(self.manifest["patient_id"], self.manifest["sha256"], strict=True))

    def load(self, patient_id: str) -> PreparedPatient:
        """Return one patient, memory-mapped.

        Whose file it is, and that not one bit of it changed since it was prepared, is checked when
        the file is first read in a process, and again when it is another file by then.

        Raises:
            StoreError: The file is absent, damaged, or another patient's.
        """
        path = self.path(patient_id)
        prepared = read_prepared(path)
        found = path.stat()
        state = (patient_id, self._content[patient_id], found.st_size, found.st_mtime_ns)
        if _CHECKED.get(path) != state:
            check_content(path, prepared, patient_id, self._content[patient_id])
            _CHECKED[path] = state
        return prepared

    def lost_patients(self) -> list[str]:
        """Return the patients of the manifest whose file is not there."""
        return [name for name, file in self._files.items() if not (self.root / file).is_file()]

    def _table(self, name: str) -> pd.DataFrame:
        path = self.root / name
        text = dict.fromkeys(("patient_id", "center", "split", "step", "reason", "sha256"), str)
        try:
            table = pd.read_csv(
                path,
                dtype=text,
                keep_default_na=False,
                na_values=[""],
                float_precision="round_trip",
            )
            return restored(table)
        except (OSError, ValueError) as error:
            raise StoreError(f"{error}", where=str(path), remedy="Run prepare again.") from error

"""The prepared store: one memory-mapped file per patient, tables beside them, no SimpleITK."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.sources import quick_marks
from mtl_hcc.patient import Cohort
from mtl_hcc.spreadsheet_cells import restored

_TYPES = {"F16": np.float16, "U8": np.uint8, "BOOL": np.bool_}
_REMEDY = "Delete the file and run prepare again; the other patients are not redone."


@dataclass(frozen=True)
class PreparedPatient:
    """One patient on the common grid, ready to be cropped, turned and stacked.

    Attributes:
        patient_id: Name of the patient.
        phases: Names along the first axis.
        images: (phase, depth, height, width) float16 in [0, 1]; zero outside the kept regions
            (unless the recipe keeps the background) and in missing phases.
        regions: Same shape, uint8 bits of :class:`mtl_hcc.patient.Region`.
        phase_present: (phase,) bool.
        geometry: Grid that all phases share: origin, spacing and direction in mm, LPS.
        quality: Measurements and remarks, see :mod:`mtl_hcc.imaging.quality`.
    """

    patient_id: str
    phases: tuple[str, ...]
    images: NDArray[np.float16]
    regions: NDArray[np.uint8]
    phase_present: NDArray[np.bool_]
    geometry: Grid
    quality: dict[str, float | str] = field(default_factory=dict)


def file_name(patient_id: str) -> str:
    """Return the prepared file's name: the patient's, with odd characters as %XX.

    Very long names and names that differ only in case keep apart by a hash of the whole name.
    """
    name = quote(patient_id, safe=" ()+,=@")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > 100 or patient_id != patient_id.lower():
        name = f"{name[:100]}~{sha256(patient_id.encode()).hexdigest()[:8]}"
    return f"{name}.safetensors"


def write_prepared(
    path: Path, prepared: PreparedPatient, *, sources: dict[str, Any] | None = None
) -> None:
    """Write one patient: a temporary file, flushed to disk, then renamed into place.

    Args:
        path: Where the file goes.
        prepared: The patient.
        sources: What the patient was prepared from, kept for the check of staleness.
    """
    metadata = {
        "patient_id": prepared.patient_id,
        "phases": json.dumps(prepared.phases),
        "geometry": json.dumps(asdict(prepared.geometry)),
        "quality": json.dumps(prepared.quality),
        "sources": json.dumps(sources or {}),
    }
    tensors: dict[str, NDArray[Any]] = {
        "images": np.ascontiguousarray(prepared.images, dtype=np.float16),
        "regions": np.ascontiguousarray(prepared.regions, dtype=np.uint8),
        "phase_present": np.ascontiguousarray(prepared.phase_present, dtype=np.bool_),
    }
    write_bytes(path, save(tensors, metadata=metadata))


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a prepared file's header and the offset of its data, or say why it is no good."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if not 2 <= length <= size - 8:
                raise ValueError(f"a header of {length} bytes in a file of {size}")
            header: dict[str, Any] = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        if 8 + length + max(ends) != size:
            raise ValueError(f"{8 + length + max(ends)} bytes announced, {size} found")
        for name in ("images", "regions", "phase_present"):
            header[name]["shape"]
        for name in ("patient_id", "phases", "geometry", "quality", "sources"):
            header["__metadata__"][name]
    except FileNotFoundError as error:
        raise StoreError(
            "no such file", where=str(path), remedy="Run prepare again; it makes what is missing."
        ) from error
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"damaged or half-written ({error})",
            where=str(path),
            expected="a prepared patient as safetensors",
            remedy=_REMEDY,
        ) from error
    return header, 8 + length


def read_prepared(path: Path) -> PreparedPatient:
    """Return one patient; its arrays are read-only views of the file, paged in when touched."""
    header, offset = read_header(path)
    metadata = header["__metadata__"]

    def view(name: str) -> NDArray[Any]:
        entry = header[name]
        return np.memmap(
            path,
            dtype=_TYPES[entry["dtype"]],
            mode="r",
            offset=offset + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
        )

    geometry = {key: tuple(value) for key, value in json.loads(metadata["geometry"]).items()}
    return PreparedPatient(
        patient_id=metadata["patient_id"],
        phases=tuple(json.loads(metadata["phases"])),
        images=view("images"),
        regions=view("regions"),
        phase_present=np.array(view("phase_present")),
        geometry=Grid(**geometry),
        quality=json.loads(metadata["quality"]),
    )


def table_hash(table: pd.DataFrame) -> str:
    """Return the hash of a clinical table."""
    return sha256(table.to_csv().encode()).hexdigest()


def marks_hash(marks: dict[str, dict[str, Any]]) -> str:
    """Return the hash of all patients' quick marks."""
    return sha256(json.dumps(marks, sort_keys=True).encode()).hexdigest()


class PreparedStore:
    """A folder of prepared patients.

    ::

        store/
          patients/<patient_id>.safetensors
          manifest.csv      patient_id, file, fingerprint, quality
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
        """One row per prepared patient: ``patient_id, file, fingerprint`` and the quality."""
        return self._table("manifest.csv")

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

    @property
    def phases(self) -> tuple[str, ...]:
        """Names along the first axis of every patient's arrays."""
        return tuple(self.recipe["preparation"]["phases"])

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

    def load(self, patient_id: str) -> PreparedPatient:
        """Return one patient, memory-mapped: only the voxels that are used are read."""
        return read_prepared(self.path(patient_id))

    def is_current(self, cohort: Cohort, preparation: Preparation) -> bool:
        """Return whether this store is what preparing ``cohort`` by ``preparation`` would give.

        Checks recipe, clinical table, and name, size and time of every image: milliseconds per
        patient, no image is read.
        """
        marks = {i: quick_marks(p, preparation) for i, p in cohort.patients.items()}
        return (
            self.recipe.get("fingerprint") == preparation.fingerprint()
            and self.recipe.get("table") == table_hash(cohort.table)
            and self.recipe.get("sources") == marks_hash(marks)
            and all((self.root / file).is_file() for file in self._files.values())
        )

    def _table(self, name: str) -> pd.DataFrame:
        path = self.root / name
        text = {"patient_id": str, "center": str, "split": str, "step": str, "reason": str}
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

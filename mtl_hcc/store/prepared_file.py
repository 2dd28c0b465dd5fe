"""One prepared patient as a file: memory-mapped arrays, and the hash that vouches for them."""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView

ARRAYS = {"images": np.float16, "regions": np.uint8, "phase_present": np.bool_}
_TYPES = {"F16": np.float16, "U8": np.uint8, "BOOL": np.bool_}
REMEDY = "Delete the file and run prepare again; the other patients are not redone."


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
    tensors: dict[str, NDArray[Any]] = {
        f"{view}/{name}": np.ascontiguousarray(getattr(arrays, name), dtype=kind)
        for view, arrays in prepared.views.items()
        for name, kind in ARRAYS.items()
    }
    metadata = {
        "patient_id": prepared.patient_id,
        "views": json.dumps(_described(prepared)),
        "quality": json.dumps(prepared.quality),
        "sources": json.dumps(sources or {}),
        "sha256": content_hash(prepared),
    }
    write_bytes(path, save(tensors, metadata=metadata))


def content_hash(prepared: PreparedPatient) -> str:
    """Return the hash of a patient: name, phases, grid, measurements, and every voxel.

    What the patient was prepared from is not part of it: equal images have equal hashes.

    Args:
        prepared: The patient.
    """
    said = [prepared.patient_id, _described(prepared), prepared.quality]
    digest = sha256(json.dumps(said).encode())
    for view, arrays in prepared.views.items():
        for name, kind in ARRAYS.items():
            array: NDArray[Any] = np.ascontiguousarray(getattr(arrays, name), dtype=kind)
            digest.update(f"{view}/{name} {array.shape}\n".encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _described(prepared: PreparedPatient) -> dict[str, Any]:
    """Return phases and grid of each view."""
    return {
        name: {"phases": view.phases, "geometry": asdict(view.geometry)}
        for name, view in prepared.views.items()
    }


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
        for name in ("patient_id", "views", "quality", "sources", "sha256"):
            header["__metadata__"][name]
        for view in json.loads(header["__metadata__"]["views"]):
            for name in ARRAYS:
                header[f"{view}/{name}"]["shape"]
    except FileNotFoundError as error:
        raise StoreError(
            "no such file", where=str(path), remedy="Run prepare again; it makes what is missing."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise damaged(path, str(error)) from error
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

    try:
        views = {
            name: PreparedView(
                phases=tuple(described["phases"]),
                images=view(f"{name}/images"),
                regions=view(f"{name}/regions"),
                phase_present=np.array(view(f"{name}/phase_present")),
                geometry=Grid(**{k: tuple(v) for k, v in described["geometry"].items()}),
            )
            for name, described in json.loads(metadata["views"]).items()
        }
        return PreparedPatient(
            patient_id=metadata["patient_id"],
            views=views,
            quality=json.loads(metadata["quality"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise damaged(path, str(error)) from error


def check_content(path: Path, prepared: PreparedPatient, patient_id: str, expected: str) -> None:
    """Raise unless a file holds this patient, with the content that it was written with.

    Args:
        path: The file, for the message.
        prepared: What was read of it.
        patient_id: Who should be in it.
        expected: :func:`content_hash` of what should be in it.

    Raises:
        StoreError: Another patient, another version of the patient, or damage.
    """
    if prepared.patient_id != patient_id:
        raise StoreError(
            f"the file holds patient {prepared.patient_id}",
            where=f"patient {patient_id}, {path}",
            expected=f"patient {patient_id}, as manifest.csv says",
            remedy="Files of the store were exchanged or renamed. " + REMEDY,
        )
    if content_hash(prepared) != expected:
        raise StoreError(
            "the content is not the one that was prepared (its SHA-256 differs)",
            where=f"patient {patient_id}, {path}",
            expected="the file as prepare wrote it",
            remedy="The disk or another program changed it, or the store was renewed while it was "
            "being read. " + REMEDY,
        )


def damaged(path: Path, why: str) -> StoreError:
    """Return the error for a file that cannot be read as a prepared patient."""
    return StoreError(
        f"damaged or half-written ({why})",
        where=str(path),
        expected="a prepared patient as safetensors",
        remedy=REMEDY,
    )

"""What is kept of each explained patient, in one file: done patients are not computed again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mtl_hcc.atomic import write_bytes

RECORD = "prepared.safetensors"
VERSION = 2
"""Raised whenever the same settings give other results."""

OF_INSTANCES = ("features", "present", "phase", "place_mm")
"""Of a bag of one patient, each (instance, ...)."""

Row = dict[str, Any]


@dataclass
class Record:
    """One explained patient.

    Attributes:
        patient_id: Name of the patient.
        split: Split of the patient.
        center: Center of the patient.
        scores: Task to score, see :func:`mtl_hcc.explanation.activation_map.task_score`.
        occluded: Region to task to score without the region.
        outcomes: Column to known outcome; ``None`` where unknown.
        predictions: Task to the columns of ``predictions.csv``.
        regions: Rows of ``regions.csv``.
        sanity: Rows of ``sanity.csv``.
        present: Phases that the patient has.
        arrays: Of each view ``<view>.features`` (instance, feature), and likewise the others of
            ``OF_INSTANCES``, and ``<view>.phases``; ``covariates``, if the network has some;
            ``null_share`` and ``null_hit`` (task, phase, part, draw).
    """

    patient_id: str
    split: str
    center: str
    scores: dict[str, float] = field(default_factory=dict)
    occluded: dict[str, dict[str, float]] = field(default_factory=dict)
    outcomes: dict[str, float | None] = field(default_factory=dict)
    predictions: dict[str, dict[str, float | None]] = field(default_factory=dict)
    regions: list[Row] = field(default_factory=list)
    sanity: list[Row] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def who(record: Record) -> Row:
    """Return the first columns of every table: ``patient_id, center, split``."""
    return {"patient_id": record.patient_id, "center": record.center, "split": record.split}


def folder_name(patient_id: str) -> str:
    """Return a patient's name as a folder: odd characters as %XX, very long ones cut."""
    name = quote(patient_id, safe=" ()+,=@")
    if name.startswith("."):
        name = "%2E" + name[1:]
    return (
        name if len(name) <= 100 else f"{name[:90]}~{sha256(patient_id.encode()).hexdigest()[:8]}"
    )


def write_record(
    folder: Path,
    record: Record,
    maps: Mapping[tuple[str, str], NDArray[np.float32]],
    *,
    geometry: dict[str, Any],
    fingerprint: str,
) -> None:
    """Write a patient's maps on the prepared grid and all that the tables are made of.

    Args:
        folder: Of the patient.
        record: Everything but the maps.
        maps: (task, phase) to (depth, height, width), in the unit of the score.
        geometry: Of the prepared grid.
        fingerprint: Of weights, settings and patient.
    """
    values = {name: value for name, value in vars(record).items() if name != "arrays"}
    metadata = {
        "record": json.dumps(values),
        "geometry": json.dumps(geometry),
        "fingerprint": fingerprint,
    }
    tensors = {
        f"map/{task}/{phase}": np.ascontiguousarray(values, np.float32)
        for (task, phase), values in maps.items()
    }
    tensors |= {name: np.ascontiguousarray(array) for name, array in record.arrays.items()}
    write_bytes(folder / RECORD, save(tensors, metadata=metadata))


def read_record(folder: Path, *, fingerprint: str | None = None) -> Record | None:
    """Return a patient's record; ``None`` if there is none, or it is damaged or of other settings.

    Args:
        folder: Of the patient.
        fingerprint: That the record must have.
    """
    try:
        with safe_open(folder / RECORD, framework="numpy") as file:
            metadata = file.metadata() or {}
            if fingerprint is not None and metadata.get("fingerprint") != fingerprint:
                return None
            values = json.loads(metadata["record"])
            arrays = {
                name: file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 (safe_open is no mapping)
                if not name.startswith("map/")
            }
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return Record(**values, arrays=arrays)

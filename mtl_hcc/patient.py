"""What a patient and a cohort are: phases, regions, endpoints and the files that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

CT_PHASES = ("arterial", "portal_venous", "delayed")
MRI_PHASES = (
    "t1_precontrast",
    "arterial",
    "portal_venous",
    "delayed",
    "hepatobiliary",
    "t1_fs",
    "t2_fs",
    "dwi",
)
SURVIVAL_ENDPOINTS = ("os", "rfs")
"""Each has the columns ``<endpoint>_days`` and ``<endpoint>_event``."""
CLASS_COLUMNS: dict[str, int] = {"mvi": 2, "mvi_grade": 3}
"""Classification columns and their number of classes."""


@dataclass(frozen=True)
class Patient:
    """Where one patient's images lie.

    Attributes:
        patient_id: Name of the patient in the table and in the folders.
        images: Phase to image file (NIfTI, CT in HU).
        regions: Phase to the label map drawn on that phase (:class:`mtl_hcc.regions.Label`); one
            file may serve several phases, and phases without a map of their own may be absent.
    """

    patient_id: str
    images: Mapping[str, Path]
    regions: Mapping[str, Path]


KEPT = "kept: "
"""Begins the reason of a quarantine row that is only a remark: the patient stays."""
EVERYBODY = "(all patients)"
"""In place of a name in the quarantine: a remark about the whole table; nobody is left out."""


def empty_quarantine() -> pd.DataFrame:
    """Return a quarantine table without rows: ``patient_id, step, reason``."""
    return pd.DataFrame(columns=["patient_id", "step", "reason"], dtype=str)


@dataclass(frozen=True)
class Cohort:
    """A cohort that was read and checked.

    Attributes:
        root: Folder or file that it came from.
        table: One row per patient, indexed by ``patient_id`` (text), with at least ``center``
            (text); endpoint columns as in the contract, an empty cell being NaN.
        patients: Files by ``patient_id``; empty for a cohort that is only a table.
        quarantine: Who was left out (or had a label blanked) while reading, and why.
    """

    root: Path
    table: pd.DataFrame
    patients: Mapping[str, Patient] = field(default_factory=dict)
    quarantine: pd.DataFrame = field(default_factory=empty_quarantine)

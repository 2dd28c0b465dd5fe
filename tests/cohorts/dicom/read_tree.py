"""Reads a DICOM tree as a test does, and tells why a patient was set aside."""

from pathlib import Path
from typing import Any

from mtl_hcc.cohorts.dicom import DicomTree
from mtl_hcc.patient import Cohort


def read(root: Path, **settings: Any) -> Cohort:
    return DicomTree(progress=False, **settings).read(root)


def reason(cohort: Cohort, patient_id: str = "P1") -> str:
    rows = cohort.quarantine[cohort.quarantine["patient_id"] == patient_id]
    assert len(rows) == 1
    return str(rows["reason"].iloc[0])

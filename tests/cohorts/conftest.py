"""A tiny cohort in the contract's layout, written with nibabel so that our own code has no part."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

PHASES = ("arterial", "portal_venous", "delayed")
ROWS = {
    "patient_id": ["P001", "P002", "P003"],
    "center": ["I", "I", "II"],
    "os_days": ["400", "900", "1200"],
    "os_event": ["1", "0", "0"],
    "rfs_days": ["100", "900", "700"],
    "rfs_event": ["1", "0", "1"],
    "mvi": ["1", "0", ""],
    "afp_ng_ml": ["20.5", "", "400"],
    "child_pugh": ["A", "B", "A"],
}
"""The table of the tiny cohort, column by column, as text."""


def csv_text(rows: dict[str, list[str]], delimiter: str = ",") -> str:
    lines = [list(rows), *zip(*rows.values(), strict=True)]
    return "".join(delimiter.join(cells) + "\n" for cells in lines)


def write_patient(folder: Path, seed: int = 0) -> None:
    """Write three phases of 24 x 20 x 8 voxels (x, y, z) in HU and one label map for all."""
    noise = np.random.default_rng(seed)
    labels = np.zeros((24, 20, 8), np.uint8)
    labels[3:21, 3:17, 1:7] = 1
    labels[8:14, 7:13, 3:6] = 2
    labels[5:7, 17:19, 2:4] = 3
    affine = np.diag([-1.5, -1.5, 2.0, 1.0])  # LPS, as CT is stored, in NIfTI's RAS
    folder.mkdir(parents=True)
    for phase, liver in zip(PHASES, (60, 110, 90), strict=True):
        image = np.array([-1000, liver, liver + 30, -90])[labels] + noise.normal(
            0, 10, labels.shape
        )
        nibabel.save(
            nibabel.Nifti1Image(image.astype(np.int16), affine), folder / f"{phase}.nii.gz"
        )
    nibabel.save(nibabel.Nifti1Image(labels, affine), folder / "regions.nii.gz")


@pytest.fixture
def nifti_cohort(tmp_path: Path) -> Path:
    """Return a cohort folder with three patients."""
    root = tmp_path / "cohort"
    for seed, name in enumerate(ROWS["patient_id"]):
        write_patient(root / "images" / name, seed)
    (root / "patients.csv").write_text(csv_text(ROWS))
    return root


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the tiny cohort's table with some columns replaced."""

    def write(delimiter: str = ",", name: str = "patients.csv", **columns: list[str]) -> Path:
        rows = {**ROWS, **columns}
        path = tmp_path / name
        path.write_text(csv_text({c: v for c, v in rows.items() if v}, delimiter))
        return path

    return write

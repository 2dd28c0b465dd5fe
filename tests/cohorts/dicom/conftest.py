"""A small cohort as NIfTI, the same as DICOM, and single slices made up of headers."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_writer import write_dicom_cohort

from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.cohorts.dicom.geometry import VolumeGrid, volume_grid
from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.cohorts.dicom.volumes import Volume, find_volumes
from mtl_hcc.patient import CT_PHASES

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def _header(**changes: Any) -> DicomHeader:
    values: dict[str, Any] = {
        "path": Path("none.dcm"),
        "folder": "P1/series",
        "stamp": (0, 0),
        "patient_id": "P1",
        "modality": "CT",
        "study": "study",
        "study_date": "",
        "series": "series",
        "series_number": 3,
        "description": "",
        "instance": "",
        "frame_of_reference": "frame",
        "image_type": ("ORIGINAL",),
        "rows": 512,
        "columns": 512,
        "frames": 1,
        "orientation": AXIAL,
        "position": (0.0, 0.0, 0.0),
        "pixel_spacing": (0.8, 0.7),
        "thickness": 2.5,
        "tilt": None,
        "instance_number": None,
        "acquisition_number": None,
        "temporal_position": None,
        "trigger_time": None,
        "seconds": None,
        "bolus_start": None,
        "after_bolus": None,
    }
    return DicomHeader(**{**values, **changes})


def _stack(
    count: int = 10, *, step: float = 2.5, start: float = 0.0, **changes: Any
) -> list[DicomHeader]:
    """Axial slices named ``<tag><k>.dcm``, ``step`` mm apart."""
    tag = changes.pop("tag", "s")
    return [
        _header(
            **{
                "path": Path(f"{tag}{k}.dcm"),
                "instance": f"{tag}{k}",
                "position": (-10.0, -20.0, start + k * step),
                "instance_number": k + 1,
                **changes,
            }
        )
        for k in range(count)
    ]


def _volume(name: str, **changes: Any) -> Volume:
    return Volume(name, tuple(_stack(tag=f"v{name}_", **{"series": name, **changes})))


@pytest.fixture(scope="session")
def nifti_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, three phases, anisotropic and oblique.

    HU are noise, so every voxel counts; in the liver they are those of the phase. There is no
    aorta.
    """
    root = tmp_path_factory.mktemp("dicom") / "nifti"
    rng = np.random.default_rng(5)
    turned = sitk.Euler3DTransform()
    turned.SetRotation(0.02, -0.03, 0.05)
    for patient_id in ("P1", "P2"):
        folder = root / "images" / patient_id
        folder.mkdir(parents=True)
        labels = np.zeros((6, 36, 40), dtype=np.uint8)
        labels[1:5, 5:30, 5:25] = 1
        labels[2:4, 8:14, 8:12] = 2
        labels[3, 2:4, 2:30] = 3
        for k, phase in enumerate(CT_PHASES):
            voxels = rng.integers(-1024, 1500, labels.shape).astype(np.int16)
            liver = np.roll(labels, k, axis=2) == 1
            voxels[liver] = rng.integers(-20, 21, liver.sum()) + (60, 110, 95)[k]
            image = sitk.GetImageFromArray(voxels)
            image.SetSpacing((0.7, 0.8, 2.5))
            image.SetOrigin((-100.3 + k, -55.1, 33.7))
            image.SetDirection(turned.GetMatrix())
            drawn = sitk.GetImageFromArray(np.roll(labels, k, axis=2))
            drawn.CopyInformation(image)
            sitk.WriteImage(image, str(folder / f"{phase}.nii.gz"))
            sitk.WriteImage(drawn, str(folder / f"{phase}_regions.nii.gz"))
    table = {"patient_id": ["P1", "P2"], "center": "A", "os_days": [10, 20], "os_event": [1, 0]}
    pd.DataFrame(table).to_csv(root / "patients.csv", index=False)
    return root


@pytest.fixture(scope="session")
def dicom_cohort_once(nifti_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dicom") / "tree"
    return write_dicom_cohort(nifti_cohort, root, progress=False)


@pytest.fixture
def dicom_cohort(dicom_cohort_once: Path, tmp_path: Path) -> Path:
    """The same cohort as DICOM, for a test to spoil."""
    return Path(shutil.copytree(dicom_cohort_once, tmp_path / "tree"))


@pytest.fixture
def slices(dicom_cohort: Path) -> list[pydicom.Dataset]:
    """The arterial slices of one patient."""
    files = sorted((dicom_cohort / "P1" / "series_2").glob("*.dcm"))
    return [pydicom.dcmread(path) for path in files]


@pytest.fixture
def grid(dicom_cohort: Path) -> VolumeGrid:
    """The grid of these slices."""
    found = find_dicom_files(dicom_cohort / "P1" / "series_2", progress=False)
    return volume_grid(find_volumes(found.headers)[0], where="P1")


@pytest.fixture
def header() -> Callable[..., DicomHeader]:
    return _header


@pytest.fixture
def stack() -> Callable[..., list[DicomHeader]]:
    return _stack


@pytest.fixture
def volume() -> Callable[..., Volume]:
    return _volume


@pytest.fixture
def spoil() -> Callable[[list[Path], Callable[[Any, int], None]], None]:
    """Change DICOM files: ``change(data set, index)``."""

    def change_files(files: list[Path], change: Callable[[Any, int], None]) -> None:
        for k, path in enumerate(files):
            data = pydicom.dcmread(path)
            change(data, k)
            data.save_as(path)

    return change_files

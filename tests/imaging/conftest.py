"""A tiny NIfTI cohort whose volumes are known."""

from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import make_scan, to_image

from mtl_hcc.patient import CT_PHASES, Patient

WritePatient = Callable[..., Patient]


@pytest.fixture
def write_patient(tmp_path: Path) -> WritePatient:
    """Return a function that writes one patient of three phases."""

    def write(patient_id="P001", *, phases=CT_PHASES, seed=0, **scan) -> Patient:
        folder = tmp_path / "cohort" / "images" / patient_id
        folder.mkdir(parents=True, exist_ok=True)
        images, regions = {}, {}
        spacing = scan.get("spacing", (1.5, 1.5, 3.0))
        for index, phase in enumerate(phases):
            hu, labels = make_scan(seed=seed + index, **scan)
            images[phase] = folder / f"{phase}.nii.gz"
            regions[phase] = folder / f"{phase}_regions.nii.gz"
            sitk.WriteImage(to_image(hu, spacing), str(images[phase]))
            sitk.WriteImage(to_image(labels, spacing), str(regions[phase]))
        return Patient(patient_id, images, regions)

    return write

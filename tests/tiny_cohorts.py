"""Fixtures: tiny NIfTI cohorts whose volumes and outcomes are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import make_scan, to_image
from outcome_tables import outcome_table

from mtl_hcc.patient import CT_PHASES, Patient

PHASES = ("arterial", "portal_venous", "delayed")


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A NIfTI folder of 12 patients: a bright tumor in a liver, 4 mm voxels."""
    import SimpleITK as sitk  # noqa: N813  (its usual abbreviation)

    root = tmp_path_factory.mktemp("cohort")
    table = outcome_table(12)
    table["split"] = ["train"] * 7 + ["validation"] * 3 + ["external"] * 2
    table["os_event"] = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    table["rfs_event"], table["rfs_days"] = table["os_event"], table["os_days"]
    table["mvi"] = [0.0, 1.0] * 6
    table.to_csv(root / "patients.csv")
    z, y, x = np.indices((24, 24, 24)) - 11.5
    for number, name in enumerate(table.index):
        rng = np.random.default_rng(number)
        labels = (np.sqrt(x**2 + y**2 + z**2) < 10).astype(np.uint8)
        labels[np.sqrt((x - 2) ** 2 + y**2 + z**2) < 4] = 2
        (root / "images" / name).mkdir(parents=True)
        for phase in PHASES:
            voxels = 60 + 40 * labels + rng.normal(0, 5, labels.shape)
            for kind, array in ((phase, voxels.astype(np.int16)), (f"{phase}_regions", labels)):
                image = sitk.GetImageFromArray(array)
                image.SetSpacing((4.0, 4.0, 4.0))
                sitk.WriteImage(image, str(root / "images" / name / f"{kind}.nii.gz"))
    return root


WritePatient = Callable[..., Patient]


@pytest.fixture
def write_patient(tmp_path: Path) -> WritePatient:
    """Return a function that writes one patient of three phases."""

    import SimpleITK as sitk  # noqa: N813  (its usual abbreviation)

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

"""A tiny cohort with images."""

from pathlib import Path

import numpy as np
import pytest
from outcome_tables import outcome_table

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

"""A simple upper abdomen: spine, aorta, liver, spleen, with the HU of each phase."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from dicom_writer import write_dicom_cohort

from mtl_hcc.patient import CT_PHASES

HU = {
    # phase: aorta, liver, spleen
    "native": (42, 55, 48),
    "arterial": (290, 66, 120),
    "portal_venous": (160, 110, 122),
    "delayed": (125, 93, 100),
}
SHAPE = (12, 90, 116)
SPACING = (2.0, 2.0, 5.0)
"""x, y, z in mm."""


def inside(center, axes):
    """Return an ellipse (height, width) in mm around the middle of the image."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]] * 2.0
    x, y = x - SHAPE[2], y - SHAPE[1]
    return ((x - center[0]) / axes[0]) ** 2 + ((y - center[1]) / axes[1]) ** 2 <= 1


def labels():
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[1:-1, inside((-55, -5), (40, 50))] = 1
    drawn[4:7, inside((-60, -10), (10, 10))] = 2
    return drawn


def body(phase, *, seed=0):
    """Return HU (depth, height, width); ``thorax`` shows lung where the liver was drawn."""
    aorta, liver, spleen = HU.get(phase, HU["delayed"])
    plane = np.full(SHAPE[1:], -1000.0)
    for center, axes, value in (
        ((0, 0), (108, 82), -100),
        ((0, 0), (98, 72), 40),
        ((-55, -5), (40, 50), liver if phase != "thorax" else -850),
        ((70, 20), (22, 34), spleen if phase != "thorax" else -850),
        ((0, 52), (20, 17), 240),
        ((0, 52), (16, 13), 150),
        ((20, 28), (11, 11), aorta),
    ):
        plane[inside(center, axes)] = value
    noise = np.random.default_rng(seed).normal(0, 12, SHAPE)
    return np.rint(plane + noise).astype(np.int16)


def write_cohort(root: Path, contents, tree: Path, **way) -> Path:
    """Write one patient as DICOM; ``contents``: what the series of each CT phase really shows."""
    folder = root / "images" / "P1"
    folder.mkdir(parents=True)
    for k, (phase, content) in enumerate(zip(CT_PHASES, contents, strict=False)):
        for name, voxels in ((phase, body(content, seed=k)), (f"{phase}_regions", labels())):
            image = sitk.GetImageFromArray(voxels)
            image.SetSpacing(SPACING)
            sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    (root / "patients.csv").write_text("patient_id,center,os_days,os_event\nP1,A,10,1\n")
    return write_dicom_cohort(root, tree, progress=False, **way)

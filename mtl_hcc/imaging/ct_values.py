"""Are these HU? What a CT image's values say before anybody looks at an organ."""

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.finding import Finding
from mtl_hcc.imaging.scan import Scan

DARKEST_FAT = -50.0
"""Every CT of the abdomen holds fat or air, so some voxel lies below this."""
HIGHEST_HU = 32767.0
"""Even scanners with an extended scale end at 30,710 HU (metal)."""
LOWEST_HU = -1100.0
"""Air is -1000 HU; noise takes it to -1024, where most scanners cut."""
HIGHEST_LIVER_HU = 3100.0
"""Metal and dense embolization agents end here, or are cut at 3,071."""
_WRAPPED_LIVER = 0.001
_WRAPPED_IMAGE = 0.02
"""Interpolation between padding and air gives half a percent of voxels below -1100 HU."""


def check_hounsfield(scan: Scan) -> list[Finding]:
    """Return what tells that a CT's values are no HU, or overflowed; at most one finding.

    Args:
        scan: One phase of a CT.
    """
    values = sitk.GetArrayViewFromImage(scan.image)
    low, high = float(values.min()), float(values.max())
    if low > DARKEST_FAT:
        return [_no_hounsfield(scan, low, high)]
    if high > HIGHEST_HU:
        return [_overflow(scan, f"the brightest voxel is {high:,.0f}", "at most 30,710 HU (metal)")]
    inside = scan.intensities()
    strange = float(((inside < LOWEST_HU) | (inside > HIGHEST_LIVER_HU)).mean())
    if strange > _WRAPPED_LIVER:
        found = f"{strange:.1%} of the liver's voxels lie below -1100 or above 3100 HU"
        return [_overflow(scan, found, "none: tissue is softer than metal and denser than air")]
    wrapped = _below_air(values) if low < LOWEST_HU else 0.0
    if wrapped > _WRAPPED_IMAGE:
        found = f"{wrapped:.1%} of the image's voxels lie below -1100 HU, not at one padding value"
        return [_overflow(scan, found, "no value below air (-1000 HU) but one of padding")]
    return []


def _below_air(values: NDArray[Any]) -> float:
    """Return the share of voxels below air, without the most frequent value: the padding."""
    below = np.asarray(values[values < LOWEST_HU])
    _, counts = np.unique(below, return_counts=True)
    return float(below.size - counts.max()) / values.size


def _no_hounsfield(scan: Scan, low: float, high: float) -> Finding:
    look = "the values of an 8-bit picture" if low >= 0 and high <= 255 else "no fat and no air"
    return Finding(
        where=str(scan.image_place),
        found=f"the image's values go from {low:g} to {high:g}: {look}",
        expected="CT in HU, where air is -1000 and fat -100",
        remedy="Export the series itself, not a windowed picture, a normalized image or one set to "
        "zero outside an organ; for MR images set preparation.modality: mri.",
        sure=True,
    )


def _overflow(scan: Scan, found: str, expected: str) -> Finding:
    return Finding(
        where=str(scan.image_place),
        found=f"{found}: an integer overflow, or a wrong scale",
        expected=expected,
        remedy="Convert the series again with its rescale slope and intercept, as 16-bit signed "
        "integers or float.",
        sure=True,
    )

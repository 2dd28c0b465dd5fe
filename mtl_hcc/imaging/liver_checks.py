"""Is what was drawn as liver a liver, and does the drawing lie on it?"""

import numpy as np

from mtl_hcc.imaging.finding import Finding
from mtl_hcc.imaging.mask_fit import MaskFit, liver_voxels, mask_fit
from mtl_hcc.imaging.overview import Overview
from mtl_hcc.imaging.scan import Scan

LIVER_HU = (-30.0, 230.0)
"""From a very fatty liver to one full of iron or amiodarone (130 HU) with contrast medium."""
FAT_HU = -50.0
"""Fat and air lie below; averaged over 4 mm, even a fatty liver (-20 HU) does not."""
_FAT_SURE, _FAT_REMARK = 0.10, 0.04
_MOVED_SURE, _MOVED_REMARK = (16.0, 0.25), (8.0, 0.15)
"""Millimeters to the better place, and how much better the drawing fits there."""
_MIRRORED_GAIN = 0.25
_POOR_FIT = 0.3
_TO_SIDE = (("right", "left"), ("front", "back"), ("feet", "head"))
"""Names of both ends of x, y and z."""


def air_or_fat_share(seen: Overview) -> float:
    """Return the share of the drawn liver, away from its surface, that is fat or air (CT)."""
    values = seen.values[liver_voxels(seen)]
    return float((values < FAT_HU).mean()) if values.size else float("nan")


def check_liver(scan: Scan, seen: Overview, fit: MaskFit, *, hounsfield: bool) -> list[Finding]:
    """Return what is wrong with the drawn liver of one phase, the most telling thing alone.

    Args:
        scan: The phase, for the name of its file.
        seen: The phase at a glance.
        fit: Its measurements.
        hounsfield: Whether intensities are HU.
    """
    where = str(scan.place)
    for finding in (
        _mirrored(where, seen, fit, hounsfield=hounsfield),
        _moved(where, fit, _MOVED_SURE, sure=True),
        _intensity(where, fit, str(scan.image_place)) if hounsfield else None,
        _fat(where, seen, fit, _FAT_SURE, sure=True) if hounsfield else None,
        _moved(where, fit, _MOVED_REMARK, sure=False),
        _fat(where, seen, fit, _FAT_REMARK, sure=False) if hounsfield else None,
        _poor(where, fit),
    ):
        if finding is not None:
            return [finding]
    return []


def _mirrored(where: str, seen: Overview, fit: MaskFit, *, hounsfield: bool) -> Finding | None:
    if fit.score > 1 - _MIRRORED_GAIN:
        return None
    other = mask_fit(seen.mirrored(), hounsfield=hounsfield)
    if other is None or other.score < fit.score + _MIRRORED_GAIN:
        return None
    return Finding(
        where=where,
        found="the label map is mirrored left-right: the drawn liver fits the image by "
        f"{fit.score:.2f}, its mirror image by {other.score:.2f}",
        expected="a fit near 1",
        remedy="Save the map again with the image's orientation.",
        sure=True,
    )


def _moved(where: str, fit: MaskFit, limit: tuple[float, float], *, sure: bool) -> Finding | None:
    distance = float(np.linalg.norm(fit.shift_mm))
    if distance < limit[0] or fit.shift_gain < limit[1]:
        return None
    way = " and ".join(
        f"{abs(shift):.0f} mm to the {ends[int(shift > 0)]}"
        for shift, ends in zip(fit.shift_mm, _TO_SIDE, strict=True)
        if shift
    )
    return Finding(
        where=where,
        found=f"the drawn liver does not lie on the liver: moved {way} it fits the image by "
        f"{fit.score + fit.shift_gain:.2f} instead of {fit.score:.2f}",
        expected="a label map drawn on this scan",
        remedy="Check the map's origin and that it belongs to this phase; a map borrowed from "
        "another breath-hold needs registration: rigid, or a drawing of its own.",
        sure=sure,
    )


def _intensity(where: str, fit: MaskFit, image: str) -> Finding | None:
    low, high = LIVER_HU
    if low <= fit.center <= high:
        return None
    return Finding(
        where=image,
        found=f"the liver without tumor has {fit.center:,.0f} HU (median, 5th percentile "
        f"{fit.low:,.0f})",
        expected=f"{low:g} to {high:g} HU, with or without contrast medium",
        remedy=f"Check the rescale slope and intercept, and that the label map fits ({where}); "
        "for MR images set preparation.modality: mri.",
        sure=True,
    )


def _fat(where: str, seen: Overview, fit: MaskFit, limit: float, *, sure: bool) -> Finding | None:
    share = air_or_fat_share(seen)
    if share <= limit:
        return None
    return Finding(
        where=where,
        found=f"{share:.0%} of the drawn liver are fat or air (below {FAT_HU:g} HU; 5th "
        f"percentile {fit.low:.0f} HU)",
        expected=f"at most {limit:.0%}",
        remedy="Check that the label map was drawn on this scan and lies on the liver.",
        sure=sure,
    )


def _poor(where: str, fit: MaskFit) -> Finding | None:
    if fit.score >= _POOR_FIT:
        return None
    return Finding(
        where=where,
        found=f"the drawn liver hardly stands out from its surroundings (fit {fit.score:.2f})",
        expected=f"{_POOR_FIT:g} or more, 1 being perfect",
        remedy="Check that the label map was drawn on this scan.",
        sure=False,
    )

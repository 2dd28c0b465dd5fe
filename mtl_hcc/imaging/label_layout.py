"""Do the drawn labels lie as organs do: the tumor in the liver, the liver on the right?"""

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.imaging.finding import Finding
from mtl_hcc.imaging.overview import OVERVIEW_MM, Overview, distance_mm
from mtl_hcc.regions import Label

LIVER_ML = (600.0, 4000.0)
"""Adult livers; smaller ones were operated on, cut off by the scan, or drawn in part."""
_TOUCHING_MM = 6.0
_FAR_MM = 10.0
_PEDUNCULATED = 0.2
_ENCLOSED = 0.6
_BODY_HU = -300.0
_LEFT_MM = 15.0


def tumor_contact(seen: Overview) -> float:
    """Return the share of the tumor's surroundings that was drawn as liver.

    In the label map the tumor replaces the liver, so its neighborhood is looked at.
    """
    return _contact(seen.tumor, seen.labels == Label.LIVER, seen.covered)


def tumor_distance_mm(seen: Overview) -> float:
    """Return the distance from the drawn liver to the nearest voxel of the tumor."""
    return float(distance_mm(seen.labels == Label.LIVER)[seen.tumor].min())


def check_layout(seen: Overview, *, where: str, liver_ml: float, hounsfield: bool) -> list[Finding]:
    """Return what is odd about the drawn labels.

    Args:
        seen: The phase with the map.
        where: Patient, phase and the map's file.
        liver_ml: Volume of liver and tumor.
        hounsfield: Whether intensities are HU, so that the body can be told from air.
    """
    liver, tumor = seen.labels == Label.LIVER, seen.tumor
    if not liver.any() or not tumor.any():
        return [] if liver.any() else [_no_liver(where)]
    if found := _exchanged(seen, where):
        return [found]
    return [
        *_place_of_tumor(seen, where),
        *_volume(liver_ml, where),
        *(_side(seen, where) if hounsfield else []),
    ]


def _contact(mask: NDArray[np.bool_], other: NDArray[np.bool_], on: NDArray[np.bool_]) -> float:
    """Return which share of a mask's surroundings belongs to the other mask."""
    around = (distance_mm(mask) <= _TOUCHING_MM) & ~mask & on
    return float(other[around].mean()) if around.any() else 0.0


def _exchanged(seen: Overview, where: str) -> Finding | None:
    """The liver as a kernel inside a larger "tumor"."""
    liver, tumor = seen.labels == Label.LIVER, seen.tumor
    enclosed = _contact(liver, tumor, seen.covered)
    sizes = [np.count_nonzero(mask) * OVERVIEW_MM**3 / 1000 for mask in (liver, tumor)]
    if sizes[0] >= sizes[1] or enclosed < _ENCLOSED or enclosed <= tumor_contact(seen):
        return None
    return Finding(
        where=where,
        found=f"the liver (label 1, {sizes[0]:.0f} ml) lies inside the tumor (label 2, "
        f"{sizes[1]:.0f} ml), which surrounds {enclosed:.0%} of it",
        expected="a tumor surrounded by liver",
        remedy="The labels seem to be exchanged: draw liver as 1, tumor as 2.",
        sure=True,
    )


def _place_of_tumor(seen: Overview, where: str) -> list[Finding]:
    away = tumor_distance_mm(seen)
    if away > _FAR_MM:
        return [
            Finding(
                where=where,
                found=f"the tumor lies outside the liver, {away:.0f} mm away from it",
                expected="a tumor in or at the liver",
                remedy="Check that both labels were drawn on this scan, and what was drawn.",
                sure=True,
            )
        ]
    contact = tumor_contact(seen)
    if contact >= _PEDUNCULATED:
        return []
    return [
        Finding(
            where=where,
            found=f"only {contact:.0%} of the tumor's surroundings are liver",
            expected="a tumor in the liver",
            remedy="Check the drawing, unless the tumor is pedunculated.",
            sure=False,
        )
    ]


def _volume(liver_ml: float, where: str) -> list[Finding]:
    low, high = LIVER_ML
    if low <= liver_ml <= high:
        return []
    return [
        Finding(
            where=where,
            found=f"a liver of {liver_ml:,.0f} ml",
            expected=f"{low:g} to {high:g} ml in adults",
            remedy="Check that the whole liver was scanned and drawn, and the voxel size.",
            sure=False,
        )
    ]


def _side(seen: Overview, where: str) -> list[Finding]:
    body = seen.covered & (seen.values > _BODY_HU)
    columns = np.arange(seen.values.shape[2]) * OVERVIEW_MM
    middles = [
        float((mask.sum(axis=(0, 1)) * columns).sum() / max(1, np.count_nonzero(mask)))
        for mask in (seen.organ, body)
    ]
    left = middles[0] - middles[1]  # x points to the patient's left.
    if left < _LEFT_MM:
        return []
    return [
        Finding(
            where=where,
            found=f"the liver lies {left:.0f} mm to the left of the body's middle",
            expected="a liver on the patient's right",
            remedy="Check whether image and map were mirrored, unless it is a situs inversus.",
            sure=False,
        )
    ]


def _no_liver(where: str) -> Finding:
    return Finding(
        where=where,
        found="no liver was drawn (label 1), so whether the tumor lies in it cannot be checked",
        expected="liver and tumor",
        remedy="Draw the liver, if the model looks at it.",
        sure=False,
    )

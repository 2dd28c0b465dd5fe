"""Where the field of a view lies in one patient, and how much of what matters is in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.quality import Lesions, bounding_box
from mtl_hcc.imaging.read_image import foreground_points
from mtl_hcc.imaging.resample import is_aligned
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.imaging.view import MOST_VOXELS, View
from mtl_hcc.regions import Label

_OF_CENTER = {
    "tumor": (Label.TUMOR,),
    "liver": (Label.LIVER, Label.TUMOR),
    "loat": (Label.LOAT,),
}


@dataclass(frozen=True)
class FieldOfView:
    """The grid of a view in one patient.

    Attributes:
        seen: What the network sees.
        prepared: What is stored: ``seen``, with as many whole voxels more on both sides of an axis
            as ``stored_field_mm`` asks for.
        slices_of: Phase whose slices are kept (spacing ``acquired``); empty where none are.
        oblique: By how many degrees that phase's slices are tilted; they are then interpolated.
    """

    seen: Grid
    prepared: Grid
    slices_of: str = ""
    oblique: float = 0.0

    @property
    def middle(self) -> tuple[slice, slice, slice]:
        """Return where ``seen`` lies in arrays (depth, height, width) on ``prepared``."""
        z, y, x = (
            slice((most - seen) // 2, (most - seen) // 2 + seen)
            for most, seen in zip(self.prepared.shape, self.seen.shape, strict=True)
        )
        return z, y, x


def field_of_view(
    scans: Sequence[Scan], reference: Scan, lesions: Lesions, view: View
) -> FieldOfView:
    """Return where a view lies in one patient.

    It is centered on what the reference phase's map holds: on all lesions where they fit, else on
    the largest one; on the liver with its tumor; on the LOAT. Where the acquired slices are kept,
    the nearest slice gives the height, so that a prepared slice is an acquired one and not an
    interpolation between two: those of the reference phase, or, where the view does not show it, of
    the view's first phase. Other phases are resampled onto them. Slices of an oblique scan are not
    axial: their distance is kept, and they are interpolated.

    Args:
        scans: The phases that the view shows.
        reference: The phase whose map gives the center.
        lesions: The tumors of that map, largest first.
        view: The recipe.

    Raises:
        ImageError: Nothing was drawn to center on, or far too many slices.
    """
    on = next((scan for scan in scans if scan is reference), scans[0])
    x, y, z = view.spacing
    kept = z is None
    spacing = (x or 1.0, y or 1.0, float(on.image.GetSpacing()[2]) if z is None else z)
    center = _center(reference, lesions, view)
    seen = Grid.around(center, field_mm=view.seen_mm, spacing_mm=spacing)
    if kept and is_aligned(on.image):
        first = float(on.image.GetOrigin()[2])
        nearest = first + spacing[2] * round((seen.origin[2] - first) / spacing[2])
        seen = Grid((seen.origin[0], seen.origin[1], nearest), spacing, seen.size)
    more_x, more_y, more_z = (
        max(0, math.ceil((stored / step - count) / 2 - 1e-6))
        for stored, step, count in zip(view.field_mm, spacing, seen.size, strict=True)
    )
    prepared = seen.grown((more_x, more_y, more_z))
    if max(prepared.size) > MOST_VOXELS:
        raise on.image_place.error(
            f"{max(prepared.size)} voxels along an edge, with slices {spacing[2]:g} mm apart",
            expected=f"at most {MOST_VOXELS}",
            remedy="Give spacing_mm a number for z in place of acquired.",
        )
    if not kept:
        return FieldOfView(seen, prepared)
    return FieldOfView(seen, prepared, on.place.phase, _tilt_degrees(on.image))


def inside_share(reference: Scan, center_on: str, grid: Grid) -> float:
    """Return the share of a drawn region that lies inside a grid.

    Args:
        reference: The phase whose map holds the region.
        center_on: ``tumor``, ``liver`` (with its tumor) or ``loat``.
        grid: The field.
    """
    points = foreground_points(reference.regions, reference.drawn(*_OF_CENTER[center_on]))
    low, high = np.array(grid.box_mm).T
    return float(((points >= low) & (points <= high)).all(axis=1).mean())


def _center(reference: Scan, lesions: Lesions, view: View) -> tuple[float, float, float]:
    on, drawn = reference.regions, reference.drawn(*_OF_CENTER[view.center_on])
    if not drawn.any():
        raise reference.place.error(
            f"no {view.center_on.upper()} voxel (label {int(_OF_CENTER[view.center_on][0])})",
            expected=f"what a view is centered on, as its center_on is {view.center_on}",
            remedy="Draw it, set center_on: tumor, or take the view out.",
        )
    if view.center_on != "tumor":
        return _box_center(drawn, on)[0]
    center, extent = _box_center(lesions.together() if lesions else drawn, on)
    if any(edge > most for edge, most in zip(extent, view.seen_mm, strict=True)):
        center, _ = _box_center(lesions[0] if lesions else drawn, on)
    return center


def _box_center(
    mask: NDArray[np.bool_], on: sitk.Image
) -> tuple[tuple[float, float, float], list[float]]:
    """Return center (x, y, z) and extent in mm of a mask's bounding box."""
    spans = bounding_box(mask)[::-1]  # x, y, z
    middle = [float(span.start + span.stop - 1) / 2 for span in spans]
    extent = [
        float(span.stop - span.start) * step
        for span, step in zip(spans, on.GetSpacing(), strict=True)
    ]
    return on.TransformContinuousIndexToPhysicalPoint(middle), extent


def _tilt_degrees(image: sitk.Image) -> float:
    """Return the largest angle between an axis of the image and that of patient space."""
    if is_aligned(image):
        return 0.0
    cosines = np.diag(np.array(image.GetDirection()).reshape(3, 3))
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())

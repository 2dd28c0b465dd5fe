"""Mean and spread of tumor and margin zone in each phase, in the image's unit: HU on CT.

They are measured on a grid of their own around the whole tumor, whatever the network is shown, and
before intensities are clipped or scaled. Resampling to one spacing averages the noise of thin
slices, so that the spread is that of tissue and not of the scanner.
"""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.crop import crop_to_field
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.margin import zone_around
from mtl_hcc.imaging.read_image import foreground_points
from mtl_hcc.imaging.resample import sample_image, sample_mask
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.imaging.view import Zone
from mtl_hcc.regions import Label

SPACING_MM = 2.0
MARGIN = Zone(inward_mm=2.0, outward_mm=2.0)
_AROUND_MM = 8.0


def region_statistics(scans: list[Scan]) -> dict[str, float | str]:
    """Return ``<phase>_<region>_mean`` and ``_sd`` (with n in the denominator) of the regions.

    The regions are ``tumor`` and ``margin``. What lies outside the image does not count; a region
    without a voxel there has NaN.

    Args:
        scans: The phases that are there.
    """
    measured: dict[str, float | str] = {}
    regions: dict[int, tuple[Grid, dict[str, NDArray[np.bool_]]]] = {}
    for scan in scans:
        key = id(scan.regions)  # Phases that borrow a map need it only once.
        if key not in regions:
            regions[key] = _regions(scan)
        grid, masks = regions[key]
        near, _ = crop_to_field(scan.image, None, grid)
        image, inside = sample_image(near, grid), _inside(scan.image, grid)
        for name, mask in masks.items():
            values = image[mask & inside].astype(np.float64)
            phase = scan.place.phase
            measured[f"{phase}_{name}_mean"] = float(values.mean()) if values.size else np.nan
            measured[f"{phase}_{name}_sd"] = float(values.std()) if values.size else np.nan
    return measured


def _regions(scan: Scan) -> tuple[Grid, dict[str, NDArray[np.bool_]]]:
    """Return a grid around the drawn tumor, and the regions on it, (depth, height, width)."""
    drawn = scan.drawn(Label.TUMOR)
    points = foreground_points(scan.regions, drawn)
    low, high = points.min(axis=0) - _AROUND_MM, points.max(axis=0) + _AROUND_MM
    count = np.ceil((high - low) / SPACING_MM).astype(int) + 1
    x, y, z = (float(value) for value in low)
    grid = Grid(
        origin=(x, y, z),
        spacing=(SPACING_MM,) * 3,
        size=(int(count[0]), int(count[1]), int(count[2])),
    )
    _, near = crop_to_field(scan.regions, scan.regions, grid)
    near = scan.regions if near is None else near
    tumor_drawn = np.asarray(sitk.GetArrayViewFromImage(near) == int(Label.TUMOR))
    tumor = sample_mask(tumor_drawn, near, grid, between_slices=True)
    margin = zone_around(tumor_drawn, near, grid, MARGIN, tumor=tumor, liver=tumor)  # not cut
    return grid, {"tumor": tumor, "margin": margin}


def _inside(image: sitk.Image, grid: Grid) -> NDArray[np.bool_]:
    """Return the voxels of ``grid`` whose center lies inside the image, (depth, height, width)."""
    axes = [
        o + s * np.arange(n) for o, s, n in zip(grid.origin, grid.spacing, grid.size, strict=True)
    ]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    points = np.stack([x, y, z], axis=-1) - np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    index = points @ direction / np.array(image.GetSpacing())  # Directions are orthonormal.
    size = np.array(image.GetSize())
    inside: NDArray[np.bool_] = ((index >= -0.5) & (index <= size - 0.5)).all(axis=-1)
    return inside

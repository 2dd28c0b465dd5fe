"""The margin zone: everything within some millimeters of the tumor surface, on both sides."""

import math

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.resample import cover


def margin_zone(
    tumor: NDArray[np.bool_], on: sitk.Image, grid: Grid, *, margin_mm: float
) -> NDArray[np.bool_]:
    """Return the voxels of ``grid`` whose distance to the tumor surface is at most ``margin_mm``.

    The distance is the signed Maurer distance in millimeters, on a grid with at least two voxels
    per margin, only around the tumor. Maurer's zero lies on the outermost tumor voxels, half a
    voxel inside the surface; that half is taken off.

    Args:
        tumor: (z, y, x) bool on the grid where the tumor was drawn.
        on: The image that gives its geometry.
        grid: Isotropic grid where the zone is wanted.
        margin_mm: Reach to each side.
    """
    zone = np.zeros(grid.shape, dtype=np.bool_)
    box = _box(cover(tumor, on, grid) > 0, grid, margin_mm)
    if margin_mm == 0 or box is None:
        return zone
    start, size = box
    factor = max(1, math.ceil(2 * grid.spacing[0] / margin_mm))
    fine = grid.part(start, size).finer(factor)
    inside = cover(tumor, on, fine) >= 0.5
    if not inside.any():
        return zone
    near = np.abs(surface_distance(inside, fine.spacing)) <= margin_mm
    x, y, z = size
    blocks = near.reshape(z, factor, y, factor, x, factor).mean(axis=(1, 3, 5))
    zone[start[2] : start[2] + z, start[1] : start[1] + y, start[0] : start[0] + x] = blocks >= 0.5
    return zone


def surface_distance(
    inside: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return the distance in mm to the surface of a mask on an isotropic grid, negative inside."""
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    image.SetSpacing(spacing)
    distance = sitk.SignedMaurerDistanceMap(image, False, False, True)
    values: NDArray[np.float32] = sitk.GetArrayFromImage(distance)
    half = np.float32(spacing[0] / 2)
    return np.where(inside, values - half, values - half)


def _box(
    mask: NDArray[np.bool_], grid: Grid, margin_mm: float
) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """Return start and size (x, y, z) of the block that holds the mask and its margin."""
    if not mask.any():
        return None
    reach = math.ceil(margin_mm / grid.spacing[0]) + 2
    start, size = [], []
    for axis in range(3):
        seen = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != 2 - axis)))
        low = max(0, int(seen[0]) - reach)
        high = min(grid.size[axis], int(seen[-1]) + reach + 1)
        start.append(low)
        size.append(high - low)
    return (start[0], start[1], start[2]), (size[0], size[1], size[2])

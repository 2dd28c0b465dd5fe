"""Zones: everything within some millimeters of the tumor surface, inside, outside or both."""

import math
from itertools import product

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.resample import smooth_mask
from mtl_hcc.imaging.view import Zone

_FINEST = 5
"""A voxel is split into at most this many along each axis."""


def zone_around(
    tumor_drawn: NDArray[np.bool_],
    on: sitk.Image,
    grid: Grid,
    zone: Zone,
    *,
    tumor: NDArray[np.bool_],
    liver: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the voxels of ``grid`` that belong to a zone.

    Args:
        tumor_drawn: (z, y, x) bool on the grid where the tumor was drawn.
        on: The image that gives its geometry.
        grid: Where the zone is wanted.
        zone: Its reach inward and outward.
        tumor: (depth, height, width) bool, the tumor on ``grid``.
        liver: Likewise, the whole organ.
    """
    if zone.inward_mm == zone.outward_mm:
        found = margin_zone(tumor_drawn, on, grid, margin_mm=zone.inward_mm)
    else:
        inside = margin_zone(tumor_drawn, on, grid, margin_mm=zone.inward_mm) & tumor
        found = inside | margin_zone(tumor_drawn, on, grid, margin_mm=zone.outward_mm) & ~tumor
    return found & liver if zone.cut_at_liver else found


def margin_zone(
    tumor: NDArray[np.bool_], on: sitk.Image, grid: Grid, *, margin_mm: float
) -> NDArray[np.bool_]:
    """Return the voxels of ``grid`` whose distance to the tumor surface is at most ``margin_mm``.

    Distances are Euclidean, in millimeters, from voxel centers to the surface between voxels. A
    distance map of the binary mask (Maurer's) measures from voxel center to voxel center instead;
    at 1 mm voxels that makes a zone of +-2 mm about a quarter too large.

    Args:
        tumor: (z, y, x) bool on the grid where the tumor was drawn.
        on: The image that gives its geometry.
        grid: Isotropic grid where the zone is wanted.
        margin_mm: Reach to each side.
    """
    zone = np.zeros(grid.shape, dtype=np.bool_)
    if margin_mm == 0 or not tumor.any():
        return zone
    points = surface_points(tumor, on, grid, finest_mm=margin_mm / 2)
    if not len(points):
        return zone
    spacing, origin = np.array(grid.spacing), np.array(grid.origin)
    index = np.rint((points - origin) / spacing).astype(int)
    touched = zone.copy()
    index = np.clip(index, 0, np.array(grid.size) - 1)
    touched[index[:, 2], index[:, 1], index[:, 0]] = True
    reach = math.ceil(margin_mm / grid.spacing[0]) + 1
    block = tuple(
        slice(max(0, low - reach), high + reach + 1)
        for low, high in zip(index.min(axis=0)[::-1], index.max(axis=0)[::-1], strict=True)
    )
    near = maximum_filter(touched[block], size=2 * reach + 1, mode="constant")
    start = np.array([part.start for part in block])
    candidates = np.argwhere(near) + start  # (voxel, zyx)
    centers = candidates[:, ::-1] * spacing + origin
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    distance, _ = tree.query(centers, distance_upper_bound=margin_mm + 1e-6)
    z, y, x = candidates[np.isfinite(distance)].T
    zone[z, y, x] = True
    return zone


def surface_points(
    tumor: NDArray[np.bool_], on: sitk.Image, grid: Grid, *, finest_mm: float
) -> NDArray[np.float64]:
    """Return (point, xyz) positions in mm on the surface of a mask that keeps its volume.

    They are the points where the lines between neighboring voxel centers cross the surface,
    interpolated along the line.

    Args:
        tumor: (z, y, x) bool.
        on: The image that gives its geometry.
        grid: Field of view; its voxels are split where they are larger than ``finest_mm``.
        finest_mm: Largest useful distance between points.
    """
    grid = _block(tumor, on, grid)
    if finest_mm > 0:
        grid = grid.finer(min(_FINEST, max(1, math.ceil(grid.spacing[0] / finest_mm))))
    field, count = smooth_mask(tumor, on, grid, between_slices=True)
    if not 0 < count < field.size:
        return np.zeros((0, 3))
    positive = field[field > 0]
    level = np.partition(positive, -count)[-count] if count <= positive.size else 0.0
    below = field < level
    points = []
    for axis in range(3):  # Array axis z, y, x.
        first: list[slice] = [slice(None)] * 3
        second: list[slice] = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        crossing = np.argwhere(below[tuple(first)] != below[tuple(second)])
        a = field[tuple(first)][tuple(crossing.T)]
        b = field[tuple(second)][tuple(crossing.T)]
        position = crossing.astype(np.float64)
        position[:, axis] += (level - a) / (b - a)
        points.append(position[:, ::-1])
    found = np.concatenate(points) * np.array(grid.spacing) + np.array(grid.origin)
    return np.asarray(found)


def _block(mask: NDArray[np.bool_], on: sitk.Image, grid: Grid) -> Grid:
    """Return the part of ``grid`` that holds the mask's bounding box and two voxels around it."""
    ends = []
    for axis in (2, 1, 0):  # Array axes of x, y, z.
        seen = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append((float(seen[0]) - 0.5, float(seen[-1]) + 0.5))
    corners = [on.TransformContinuousIndexToPhysicalPoint(c) for c in product(*ends)]
    pad = [2 * max(s, t) for s, t in zip(on.GetSpacing(), grid.spacing, strict=True)]
    low = np.min(corners, axis=0) - pad
    high = np.max(corners, axis=0) + pad
    start, size = [], []
    for axis in range(3):
        o, s, n = grid.origin[axis], grid.spacing[axis], grid.size[axis]
        first = min(max(0, math.floor((low[axis] - o) / s)), n - 1)
        last = min(max(first, math.ceil((high[axis] - o) / s)), n - 1)
        start.append(first)
        size.append(last - first + 1)
    return grid.part((start[0], start[1], start[2]), (size[0], size[1], size[2]))

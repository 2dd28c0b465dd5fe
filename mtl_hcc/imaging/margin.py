"""Zones: everything within some millimeters of the tumor surface, inside, outside or both."""

import math
from itertools import product

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.quality import bounding_box
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

    Distances are Euclidean, in millimeters, from voxel centers to the surface between voxels. A
    distance map of the binary mask (Maurer's) measures from voxel center to voxel center instead;
    at 1 mm voxels that makes a zone of +-2 mm about a quarter too large. The surface counts beyond
    the field of view as well, as far as the zone reaches in; only of a margin (as far inward as
    outward) it does not, as in version 0.1, whose numbers a store of the same recipe keeps.

    Args:
        tumor_drawn: (z, y, x) bool on the grid where the tumor was drawn.
        on: The image that gives its geometry.
        grid: Where the zone is wanted.
        zone: Its reach inward and outward.
        tumor: (depth, height, width) bool, the tumor on ``grid``.
        liver: Likewise, the whole organ.
    """
    found = np.zeros(grid.shape, dtype=np.bool_)
    if zone.reach_mm == 0 or not tumor_drawn.any():
        return found
    x, y, z = (math.ceil(zone.reach_mm / step) + 1 for step in grid.spacing)
    finest = min(side for side in (zone.inward_mm, zone.outward_mm) if side > 0) / 2
    is_margin = zone.inward_mm == zone.outward_mm
    field = grid if is_margin else grid.grown((x, y, z))
    points = surface_points(tumor_drawn, on, field, finest_mm=finest)
    if not len(points):
        return found
    voxels, distance = _near(points, grid, zone.reach_mm, (x, y, z))
    inside = tumor[tuple(voxels.T)]
    most = np.where(inside, zone.inward_mm, zone.outward_mm)
    within = (distance <= most + 1e-6) & (most > 0)
    found[tuple(voxels[within].T)] = True
    return found & liver if zone.cut_at_liver else found


def _near(
    points: NDArray[np.float64], grid: Grid, reach_mm: float, reach: tuple[int, int, int]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the voxels (voxel, zyx) within reach of a point, and how far from it they lie in mm.

    Args:
        points: (point, xyz) in mm.
        grid: Where voxels are wanted.
        reach_mm: Farther voxels are infinitely far or left out.
        reach: The same, in voxels along x, y, z.
    """
    spacing, origin = np.array(grid.spacing), np.array(grid.origin)
    index = np.rint((points - origin) / spacing).astype(int)
    index = np.clip(index, 0, np.array(grid.size) - 1)
    touched = np.zeros(grid.shape, dtype=np.bool_)
    touched[index[:, 2], index[:, 1], index[:, 0]] = True
    block = tuple(
        slice(max(0, low - more), high + more + 1)
        for low, high, more in zip(
            index.min(axis=0)[::-1], index.max(axis=0)[::-1], reach[::-1], strict=True
        )
    )
    size = [2 * more + 1 for more in reach[::-1]]
    near = maximum_filter(touched[block], size=size, mode="constant")
    start = np.array([part.start for part in block])
    voxels = np.argwhere(near) + start
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    centers = voxels[:, ::-1] * spacing + origin
    distance, _ = tree.query(centers, distance_upper_bound=reach_mm + 1e-6)
    return voxels, np.asarray(distance)


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
        x, y, z = (min(_FINEST, math.ceil(step / finest_mm)) for step in grid.spacing)
        grid = grid.finer((x, y, z))
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
    ends = [(span.start - 0.5, span.stop - 0.5) for span in bounding_box(mask)[::-1]]
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

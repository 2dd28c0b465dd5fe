"""Bringing images and region maps onto one grid, in physical space.

Scanner grids share their axes with patient space nearly always, so a resampling is three small
matrix products, one per axis: exact, and faster than a general one. Grids that lie oblique (after
registration, tilted scans) go through SimpleITK, with the same kernels: the same drawing must give
the same regions whichever way the patient lay.
"""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.quality import bounding_box

_AXES = 1e-4
"""Largest direction cosine off the axes that still counts as axis-aligned."""
_THICK = 1.5
"""Slices this many times thicker than the pixels are wide count as thick."""
_LOW, _HIGH = 0.2, 0.8
"""The surface of an interpolated mask nearly always lies between these values."""


def is_aligned(image: sitk.Image) -> bool:
    """Return whether the image's axes are those of patient space."""
    return bool(np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=_AXES))


def sample_image(image: sitk.Image, grid: Grid) -> NDArray[np.float32]:
    """Return the image on ``grid``, linear; averaged over the voxel where ``grid`` is coarser.

    Outside the image its smallest value is taken (air on CT).

    Returns:
        (depth, height, width) float32, in the image's unit.
    """
    values = sitk.GetArrayViewFromImage(image)
    air = float(values.min())
    if not is_aligned(image):
        smooth = _smooth(sitk.Cast(image, sitk.sitkFloat32), grid)
        return _resample(smooth, grid, air)
    weights = [
        _weights(_tent, image.GetOrigin()[a], image.GetSpacing()[a], image.GetSize()[a], grid, a)
        for a in range(3)
    ]
    return _along_axes(values.astype(np.float32) - np.float32(air), weights) + np.float32(air)


def sample_mask(
    mask: NDArray[np.bool_],
    on: sitk.Image,
    grid: Grid,
    *,
    between_slices: bool = False,
    taken: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return the mask on ``grid`` with the volume that it had.

    As many voxels are set, highest values of :func:`smooth_mask` first, as the mask's exact volume
    inside the field of view holds. A fixed threshold would lose volume at corners and on thick
    slices.

    Args:
        mask: (z, y, x) bool.
        on: The image that gives the mask's geometry.
        grid: Where the mask is wanted.
        between_slices: See :func:`smooth_mask`.
        taken: (depth, height, width) voxels that belong to another region already.

    Returns:
        (depth, height, width) bool.
    """
    field, count = smooth_mask(mask, on, grid, between_slices=between_slices)
    if taken is not None:
        field[taken] = 0
    return _highest(field, count)


def smooth_mask(
    mask: NDArray[np.bool_], on: sitk.Image, grid: Grid, *, between_slices: bool = False
) -> tuple[NDArray[np.float32], int]:
    """Return a field that is high inside the mask, and how many voxels the mask fills.

    The field is the cubic B-spline whose coefficients are the mask.

    Args:
        mask: (z, y, x) bool.
        on: The image that gives the mask's geometry.
        grid: Where the field is wanted.
        between_slices: On thick slices, take the signed distance for the coefficients: the surface
            then runs smoothly from slice to slice, not in steps. For compact regions.

    Returns:
        (depth, height, width) float32 in [0, 1], and the volume in voxels of ``grid``.
    """
    values = mask.astype(np.float32)
    origin, spacing, size = on.GetOrigin(), on.GetSpacing(), on.GetSize()
    thick = between_slices and max(spacing) > _THICK * min(spacing) and bool(mask.any())
    if not is_aligned(on):
        image = sitk.GetImageFromArray(_depth(mask, spacing) if thick else values)
        image.CopyInformation(on)
        field = _resample(_smooth(image, grid), grid, 0.0, sitk.sitkBSplineResampler)
        return field, round(_oblique_volume(mask, on, grid))
    parts = [_overlap(origin[a], spacing[a], size[a], grid, a) for a in range(3)]
    volume = float(parts[2] @ (values @ parts[0] @ parts[1]))
    if thick:
        values = _depth(mask, spacing)
    weights = [_weights(_spline, origin[a], spacing[a], size[a], grid, a) for a in range(3)]
    return _along_axes(values, weights), round(volume)


def _depth(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the depth below the mask's surface, scaled to [0, 1] with 0.5 at the surface."""
    block = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in bounding_box(mask))
    image = sitk.GetImageFromArray(mask[block].astype(np.uint8))
    image.SetSpacing(spacing)
    distance = sitk.SignedMaurerDistanceMap(image, True, False, True)
    depth = np.zeros(mask.shape, dtype=np.float32)
    scale = 4 * max(spacing)
    depth[block] = np.clip(sitk.GetArrayFromImage(distance) / scale + 0.5, 0, 1)
    return depth


def _highest(values: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Return the ``count`` highest positive voxels; equal ones are taken in reading order."""
    chosen = values > _HIGH
    missing = count - int(np.count_nonzero(chosen))
    candidates = np.flatnonzero((values > _LOW) & ~chosen)
    if not 0 <= missing <= candidates.size:
        chosen = np.zeros(values.shape, dtype=np.bool_)
        candidates, missing = np.flatnonzero(values > 0), count
    order = np.argsort(-values.ravel()[candidates], kind="stable")[:missing]
    chosen.ravel()[candidates[order]] = True
    return chosen


def _along_axes(
    values: NDArray[np.float32], weights: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Apply one (target, source) matrix along x, y and z of a (z, y, x) array."""
    x, y, z = weights
    values = values @ x.T  # (z, y, X)
    values = y @ values  # (z, Y, X)
    depth = values.shape[0]
    shape = (z.shape[0], *values.shape[1:])
    return np.asarray(z @ values.reshape(depth, -1)).reshape(shape)


def _weights(
    kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    origin: float,
    spacing: float,
    count: int,
    grid: Grid,
    axis: int,
) -> NDArray[np.float32]:
    """Return the (target, source) weights of a kernel along one axis, zero outside the source.

    On a coarser grid the kernel is averaged over a box that makes up for the larger voxel.
    """
    target = grid.origin[axis] + grid.spacing[axis] * np.arange(grid.size[axis])
    position = (target - origin) / spacing
    inside = (position >= -0.5) & (position <= count - 0.5)
    box = math.sqrt(max(0.0, (grid.spacing[axis] / spacing) ** 2 - 1))  # In source voxels.
    parts = max(1, math.ceil(2 * box))
    offsets = ((np.arange(parts) + 0.5) / parts - 0.5) * box
    weights = np.zeros((grid.size[axis], count))
    for offset in offsets:
        clipped = np.clip(position + offset, 0, count - 1)
        weights += kernel(np.abs(clipped[:, None] - np.arange(count)))
    weights *= inside[:, None] / weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, dtype=np.float32)


def _tent(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation."""
    return np.maximum(0, 1 - distance)


def _spline(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic B-spline."""
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(0, 2 - distance) ** 3 / 6
    return np.where(distance < 1, near, far)


def _overlap(
    origin: float, spacing: float, count: int, grid: Grid, axis: int
) -> NDArray[np.float32]:
    """Return for each source voxel how many voxels of the grid's width lie inside the field."""
    low, high = grid.box_mm[axis]
    source = origin + spacing * np.arange(count)
    inside = np.minimum(source + spacing / 2, high) - np.maximum(source - spacing / 2, low)
    return np.asarray(np.maximum(0, inside) / grid.spacing[axis], dtype=np.float32)


def _oblique_volume(mask: NDArray[np.bool_], on: sitk.Image, grid: Grid) -> float:
    """Return how many voxels of ``grid`` the mask fills inside the field of view.

    Voxels that a face of the field may cut are counted by points, four to a voxel's width of
    ``grid``.
    """
    index = np.argwhere(mask)[:, ::-1]  # (voxel, xyz)
    spacing = np.array(on.GetSpacing())
    matrix = np.array(on.GetDirection()).reshape(3, 3) * spacing
    centers = index @ matrix.T + np.array(on.GetOrigin())
    low, high = np.array(grid.box_mm).T
    reach = float(np.linalg.norm(spacing)) / 2
    whole = ((centers >= low + reach) & (centers <= high - reach)).all(axis=1)
    near = ((centers >= low - reach) & (centers <= high + reach)).all(axis=1) & ~whole
    counts = np.ceil(4 * spacing / np.array(grid.spacing)).astype(int)
    steps = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    offsets = np.array(list(product(*steps))) @ matrix.T
    cut = sum(
        np.count_nonzero(((part >= low) & (part <= high)).all(axis=1)) / len(offsets)
        for part in (centers[near] + offset for offset in offsets)
    )
    filled = np.count_nonzero(whole) + cut
    return float(filled * spacing.prod() / grid.voxel_mm3)


def _smooth(image: sitk.Image, grid: Grid) -> sitk.Image:
    """Smooth away what the coarser ``grid`` cannot carry (Gaussian, variance of the two boxes)."""
    variance = [
        (max(0.0, t**2 - s**2) / 12) for s, t in zip(image.GetSpacing(), grid.spacing, strict=True)
    ]
    if max(variance) == 0:
        return image
    return sitk.DiscreteGaussian(image, variance, 32, 0.01, True)


def _resample(
    image: sitk.Image, grid: Grid, outside: float, kernel: int = sitk.sitkLinear
) -> NDArray[np.float32]:
    sampled = sitk.Resample(
        image,
        list(grid.size),
        sitk.Transform(),
        kernel,
        list(grid.origin),
        list(grid.spacing),
        list(grid.direction),
        outside,
        sitk.sitkFloat32,
    )
    return np.asarray(sitk.GetArrayFromImage(sampled))

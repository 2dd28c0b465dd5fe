"""Bringing images and region maps onto one grid, in physical space.

Scanner grids share their axes with patient space nearly always, so a resampling is three small
matrix products, one per axis: exact, and faster than a general one. Grids that lie oblique (after
registration, tilted scans) go through SimpleITK.
"""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid

_AXES = 1e-4
"""Largest direction cosine off the axes that still counts as axis-aligned."""


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
        _linear_weights(image.GetOrigin()[a], image.GetSpacing()[a], image.GetSize()[a], grid, a)
        for a in range(3)
    ]
    return _along_axes(values.astype(np.float32) - np.float32(air), weights) + np.float32(air)


def cover(mask: NDArray[np.bool_], on: sitk.Image, grid: Grid) -> NDArray[np.float32]:
    """Return which share of each voxel of ``grid`` the mask covers.

    Shares add up to the mask's volume exactly, so that thresholding them at one half keeps it
    within a fraction of a percent; a mask resampled by value does not.

    Args:
        mask: (z, y, x) bool.
        on: The image that gives the mask's geometry.
        grid: Where the shares are wanted.

    Returns:
        (depth, height, width) float32 in [0, 1].
    """
    if not is_aligned(on):
        image = sitk.GetImageFromArray(mask.astype(np.float32))
        image.CopyInformation(on)
        return _resample(_smooth(image, grid), grid, 0.0)
    weights = [
        _overlap_weights(on.GetOrigin()[a], on.GetSpacing()[a], on.GetSize()[a], grid, a)
        for a in range(3)
    ]
    return _along_axes(mask.astype(np.float32), weights)


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


def _linear_weights(
    origin: float, spacing: float, count: int, grid: Grid, axis: int
) -> NDArray[np.float32]:
    """Return the (target, source) weights of linear interpolation along one axis.

    The triangle is as wide as the wider of the two voxels: no aliasing on a coarser grid.
    """
    target = grid.origin[axis] + grid.spacing[axis] * np.arange(grid.size[axis])
    position = (target - origin) / spacing
    inside = (position >= -0.5) & (position <= count - 0.5)
    width = max(1.0, grid.spacing[axis] / spacing)
    distance = np.abs(np.clip(position, 0, count - 1)[:, None] - np.arange(count))
    weights = np.maximum(0, 1 - distance / width)
    weights *= inside[:, None] / weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, dtype=np.float32)


def _overlap_weights(
    origin: float, spacing: float, count: int, grid: Grid, axis: int
) -> NDArray[np.float32]:
    """Return the (target, source) share of each target voxel that each source voxel covers."""
    target = grid.origin[axis] + grid.spacing[axis] * np.arange(grid.size[axis])
    source = origin + spacing * np.arange(count)
    low = np.maximum((target - grid.spacing[axis] / 2)[:, None], source - spacing / 2)
    high = np.minimum((target + grid.spacing[axis] / 2)[:, None], source + spacing / 2)
    return np.asarray(np.maximum(0, high - low) / grid.spacing[axis], dtype=np.float32)


def _smooth(image: sitk.Image, grid: Grid) -> sitk.Image:
    """Smooth away what the coarser ``grid`` cannot carry (Gaussian, variance of the two boxes)."""
    variance = [
        (max(0.0, t**2 - s**2) / 12) for s, t in zip(image.GetSpacing(), grid.spacing, strict=True)
    ]
    if max(variance) == 0:
        return image
    return sitk.DiscreteGaussian(image, variance, 32, 0.01, True)


def _resample(image: sitk.Image, grid: Grid, outside: float) -> NDArray[np.float32]:
    sampled = sitk.Resample(
        image,
        list(grid.size),
        sitk.Transform(),
        sitk.sitkLinear,
        list(grid.origin),
        list(grid.spacing),
        list(grid.direction),
        outside,
        sitk.sitkFloat32,
    )
    return np.asarray(sitk.GetArrayFromImage(sampled))

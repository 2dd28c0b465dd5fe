"""Orientation and field of view: axes into patient space, then only the part that is needed."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torchio as tio

from mtl_hcc.imaging.grid import Grid


def to_lps(image: sitk.Image) -> sitk.Image:
    """Return the image with its axes permuted and flipped to left, posterior, superior.

    No voxel changes its place or value; an oblique image stays oblique, by less than 45 degrees.
    """
    return sitk.DICOMOrient(image, "LPS")


def crop_to_field(
    image: sitk.Image, regions: sitk.Image | None, grid: Grid, *, reach_mm: float = 0.0
) -> tuple[sitk.Image, sitk.Image | None]:
    """Cut an image, and a region map on the same grid, to the voxels that ``grid`` touches.

    One voxel more on each side is kept for interpolation.

    Args:
        image: Image in LPS order.
        regions: Map on the same grid, or ``None``.
        grid: The field of view that will be resampled.
        reach_mm: Kept beyond the field of view.
    """
    bounds = _bounds(image, grid, reach_mm)
    if bounds is None or max(bounds) == 0:
        return image, regions
    subject = tio.Subject(image=tio.ScalarImage.from_sitk(image))
    if regions is not None:
        subject.add_image(tio.LabelMap.from_sitk(regions), "regions")
    cut = tio.Crop(bounds, copy=False)(subject)
    return cut["image"].as_sitk(), cut["regions"].as_sitk() if regions is not None else None


def _bounds(image: sitk.Image, grid: Grid, reach_mm: float) -> tuple[int, ...] | None:
    """Return the voxels to cut at both ends of x, y and z; ``None`` where nothing would remain."""
    sides = [(low - reach_mm, high + reach_mm) for low, high in grid.box_mm]
    corners = np.array(np.meshgrid(*sides)).reshape(3, -1).T
    index = np.array([image.TransformPhysicalPointToContinuousIndex(c) for c in corners.tolist()])
    cuts: list[int] = []
    for axis, count in enumerate(image.GetSize()):
        first = max(0, int(np.floor(index[:, axis].min())) - 1)
        last = min(count - 1, int(np.ceil(index[:, axis].max())) + 1)
        if last - first < 1:
            return None
        cuts += [first, count - 1 - last]
    return tuple(cuts)

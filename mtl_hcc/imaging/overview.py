"""A phase at a glance: image and labels on one small grid, on which its plausibility is judged."""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mtl_hcc.imaging.crop import crop_to_field
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.quality import bounding_box
from mtl_hcc.imaging.read_image import foreground_points
from mtl_hcc.imaging.resample import sample_image
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.regions import Label

OVERVIEW_MM = 4.0
"""Voxel size: noise is averaged away, an organ still has thousands of voxels."""
_AROUND_MM = 24.0
"""How far the overview reaches beyond the drawn organ."""
_NEAR_TUMOR_MM = 6.0
"""So far from a tumor, its capsule and corona no longer count as liver."""


@dataclass(frozen=True)
class Overview:
    """One phase on a coarse grid around the drawn organ.

    Attributes:
        values: (z, y, x) intensities in the image's unit.
        labels: (z, y, x) labels of :class:`mtl_hcc.regions.Label`.
        covered: (z, y, x) bool, where the image reaches.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.uint8]
    covered: NDArray[np.bool_]

    @property
    def organ(self) -> NDArray[np.bool_]:
        """Liver and tumor."""
        return np.isin(self.labels, (Label.LIVER, Label.TUMOR))

    @property
    def tumor(self) -> NDArray[np.bool_]:
        """Tumor alone."""
        return np.asarray(self.labels == Label.TUMOR)

    @property
    def away_from_tumor(self) -> NDArray[np.bool_]:
        """Where the image reaches and no tumor is near."""
        return self.covered & (distance_mm(self.tumor) > _NEAR_TUMOR_MM)

    def mirrored(self) -> "Overview":
        """Return the same image with its labels mirrored left-right about the image's middle."""
        return replace(self, labels=self.labels[:, :, ::-1])


def overview(scan: Scan) -> Overview:
    """Return a phase at a glance.

    The grid lies symmetric about the image's middle plane, so that labels mirrored about that plane
    stay on it.

    Args:
        scan: The phase, in LPS order.
    """
    grid = _grid(scan)
    near, _ = crop_to_field(scan.image, None, grid)
    covered = sitk.Image(near.GetSize(), sitk.sitkUInt8) + 1
    covered.CopyInformation(near)
    return Overview(
        values=sample_image(near, grid),
        labels=_nearest(scan.regions, grid),
        covered=_nearest(covered, grid) > 0,
    )


def distance_mm(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each voxel of an overview to a mask; infinite for an empty one."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(distance_transform_edt(~mask, sampling=OVERVIEW_MM))


def depth_mm(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how deep each voxel of an overview lies inside a mask; 0 outside."""
    return np.asarray(distance_transform_edt(mask, sampling=OVERVIEW_MM))


def _grid(scan: Scan) -> Grid:
    organ = scan.drawn(Label.LIVER, Label.TUMOR)
    ends = np.array([(span.start, span.stop - 1) for span in bounding_box(organ)])
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
    block = np.zeros_like(organ)
    block[tuple(corners.T)] = True
    points = foreground_points(scan.regions, block)
    low, high = points.min(axis=0) - _AROUND_MM, points.max(axis=0) + _AROUND_MM
    middle = _middle(scan.image)
    reach = max(high[0] - middle, middle - low[0])
    low[0], high[0] = middle - reach, middle + reach
    size = np.ceil((high - low) / OVERVIEW_MM).astype(int) + 1
    low = (low + high) / 2 - OVERVIEW_MM * (size - 1) / 2
    return Grid(
        origin=(float(low[0]), float(low[1]), float(low[2])),
        spacing=(OVERVIEW_MM,) * 3,
        size=(int(size[0]), int(size[1]), int(size[2])),
    )


def _middle(image: sitk.Image) -> float:
    """Return x of the image's middle in mm."""
    middle = [(count - 1) / 2 for count in image.GetSize()]
    return float(image.TransformContinuousIndexToPhysicalPoint(middle)[0])


def _nearest(image: sitk.Image, grid: Grid) -> NDArray[np.uint8]:
    sampled = sitk.Resample(
        image,
        list(grid.size),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        list(grid.origin),
        list(grid.spacing),
        list(grid.direction),
        0,
        sitk.sitkUInt8,
    )
    return np.asarray(sitk.GetArrayFromImage(sampled))

"""Where the volumes of one patient are looked at: the same places of the body in each of them.

Scans of one patient differ in pixel size, slice distance and extent. A coarse lattice in patient
coordinates makes them comparable: what changes from one to the next is contrast agent.
"""

from dataclasses import dataclass

import numpy as np

from mtl_hcc.cohorts.dicom.geometry import VolumeGrid

IN_PLANE_MM = 2.0
_SLICE_MM = 5.0
_UPPER_SHARE = 0.65
"""Looked at is the upper part of the liver, above the hilum of the kidneys: their pelvis fills with
contrast agent in late scans."""
_MOST_POINTS = 20000


@dataclass(frozen=True)
class Lattice:
    """Places in patient coordinates (LPS: x to the left, y to the back, z to the head), in mm."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of places along (z, y, x)."""
        return len(self.z), len(self.y), len(self.x)

    def points(self) -> np.ndarray:
        """All places (place, 3), x first."""
        z, y, x = np.meshgrid(self.z, self.y, self.x, indexing="ij")
        return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)


def make_lattice(grids: list[VolumeGrid], liver: np.ndarray) -> Lattice:
    """Lay a lattice over what the grids show, at the height of the liver.

    Args:
        grids: Grids of the volumes of one patient space.
        liver: Places (point, 3) in the liver; may be empty, then the height that all show.
    """
    corners = [_corners(grid) for grid in grids]
    low = np.min([c.min(axis=0) for c in corners], axis=0)
    high = np.max([c.max(axis=0) for c in corners], axis=0)
    if len(liver):
        bottom, top = float(liver[:, 2].min()), float(liver[:, 2].max())
        if top - bottom > 60:
            bottom = top - _UPPER_SHARE * (top - bottom)
    else:
        bottom = float(max(c[:, 2].min() for c in corners))
        top = float(min(c[:, 2].max() for c in corners))
    count = max(int((top - bottom) / _SLICE_MM) + 1, 2)
    return Lattice(
        x=np.arange(low[0], high[0], IN_PLANE_MM),
        y=np.arange(low[1], high[1], IN_PLANE_MM),
        z=np.linspace(bottom, top, count),
    )


def sample(voxels: np.ndarray, grid: VolumeGrid, points: np.ndarray) -> np.ndarray:
    """Return the nearest voxel's value at each place (point, 3); NaN outside of the volume."""
    inverse = np.linalg.inv(grid.affine)
    index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((index >= 0) & (index < np.array(grid.size))).all(axis=1)
    values = np.full(len(points), np.nan, dtype=np.float32)
    x, y, z = index[inside].T
    values[inside] = voxels[z, y, x]
    return values


def places_of(labels: np.ndarray, grid: VolumeGrid) -> np.ndarray:
    """Return places (point, 3) of the voxels that are set, evenly thinned out."""
    z, y, x = np.nonzero(labels)
    step = max(1, len(z) // _MOST_POINTS)
    index = np.stack([x, y, z], axis=1)[::step]
    return np.asarray(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])


def _corners(grid: VolumeGrid) -> np.ndarray:
    ends = np.array(grid.size) - 1
    index = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * ends
    return np.asarray(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])

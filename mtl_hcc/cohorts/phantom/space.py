"""The fine grid on which a phantom patient is built, and the shapes drawn on it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Voxels = npt.NDArray[np.float32]
"""(depth, height, width), or something that broadcasts to it."""
Point = tuple[float, float, float]
"""x to the patient's left, y to the back, z to the head, in mm."""

FINE_MM = 2.0
EXTENT_MM: Point = (264.0, 196.0, 152.0)
"""Field of view along x, y and z, its middle at (0, 0, 0)."""


def centers(extent: float, spacing: float) -> npt.NDArray[np.float64]:
    """Return the voxel centers of an axis, symmetric around 0, in mm."""
    count = int(extent / spacing + 1e-6)
    return np.asarray((np.arange(count) - (count - 1) / 2) * spacing, dtype=np.float64)


@dataclass(frozen=True)
class FineGrid:
    """Coordinates of the fine grid, in mm, ready to broadcast: z (n, 1, 1), y (n, 1), x (n,)."""

    x: Voxels
    y: Voxels
    z: Voxels

    @classmethod
    def fine(cls) -> "FineGrid":
        """Return the grid of the whole field of view."""
        x, y, z = (centers(extent, FINE_MM).astype(np.float32) for extent in EXTENT_MM)
        return cls(x=x, y=y[:, None], z=z[:, None, None])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along (depth, height, width)."""
        return (self.z.size, self.y.size, self.x.size)

    def box(self, low: Point, high: Point) -> tuple[tuple[slice, slice, slice], "FineGrid"]:
        """Return the part between two corners: its place in a volume, and its own grid."""
        z, y, x = (
            slice(int(np.searchsorted(axis.ravel(), a)), int(np.searchsorted(axis.ravel(), b)))
            for axis, a, b in zip(
                (self.z, self.y, self.x), reversed(low), reversed(high), strict=True
            )
        )
        return (z, y, x), FineGrid(x=self.x[x], y=self.y[y], z=self.z[z])


def ellipsoid(grid: FineGrid, center: Point, axes: Point, exponent: float = 2.0) -> Voxels:
    """Return the signed distance, roughly, to a superellipsoid; negative inside, in mm."""
    parts = [
        np.abs((axis - middle) / half) ** np.float32(exponent)
        for axis, middle, half in zip((grid.x, grid.y, grid.z), center, axes, strict=True)
    ]
    radius = (parts[0] + parts[1] + parts[2]) ** np.float32(1 / exponent)
    return np.asarray((radius - 1) * np.float32(min(axes)), dtype=np.float32)


def cylinder(grid: FineGrid, center: tuple[float, float], radius: float) -> Voxels:
    """Return the signed distance to a cylinder along z (depth axis of length 1)."""
    distance = np.hypot(grid.x - center[0], grid.y - center[1]) - radius
    return np.asarray(distance[None], dtype=np.float32)


def tube(grid: FineGrid, start: Point, end: Point, radius: tuple[float, float]) -> Voxels:
    """Return the signed distance to a tube whose radius tapers from start to end."""
    way = np.subtract(end, start)
    along = (
        (grid.x - start[0]) * way[0] + (grid.y - start[1]) * way[1] + (grid.z - start[2]) * way[2]
    ) / np.float32(way @ way)
    along = np.clip(along, 0, 1)
    distance = np.sqrt(
        (grid.x - start[0] - along * way[0]) ** 2
        + (grid.y - start[1] - along * way[1]) ** 2
        + (grid.z - start[2] - along * way[2]) ** 2
    )
    return np.asarray(distance - radius[0] - along * (radius[1] - radius[0]), dtype=np.float32)


def filled(distance: Voxels, softness: float = FINE_MM) -> Voxels:
    """Return the share of each voxel that lies inside a surface (partial volume)."""
    return np.asarray(np.clip(0.5 - distance / np.float32(softness), 0, 1), dtype=np.float32)


def smooth_union(first: Voxels, second: Voxels, blend: float) -> Voxels:
    """Return the signed distance to two shapes grown together over ``blend`` mm."""
    mixed = np.clip(blend - np.abs(first - second), 0, None) ** 2 / np.float32(4 * blend)
    return np.asarray(np.minimum(first, second) - mixed, dtype=np.float32)

"""All that is labelled tumor: the main one, and small nodules in the liver near it."""

from dataclasses import dataclass

import numpy as np

from mtl_hcc.cohorts.phantom.anatomy import Anatomy
from mtl_hcc.cohorts.phantom.lesion import CORONA_MM, Tumor
from mtl_hcc.cohorts.phantom.space import FineGrid, Point, Voxels

RADIUS_MM = (4.0, 7.5)
GAP_MM = (3.0, 14.0)
"""Liver between the main tumor and a satellite."""
TRIES = 60
FROM_THE_EDGE_MM = 6.0
"""A satellite stays so far inside the field of view, and where there is room in the liver."""
RIM_MM = 3.0
"""Liver that covers a satellite at least."""


@dataclass(frozen=True)
class Satellite:
    """A round nodule."""

    center: Point
    radius: float

    def distance(self, grid: FineGrid) -> Voxels:
        """Return the signed distance to its surface in mm."""
        x, y, z = (
            axis - np.float32(c)
            for axis, c in zip((grid.x, grid.y, grid.z), self.center, strict=True)
        )
        return np.asarray(np.sqrt(x**2 + y**2 + z**2) - np.float32(self.radius), dtype=np.float32)


@dataclass(frozen=True)
class LesionShapes:
    """The main tumor and its satellites on the fine grid, covered by liver.

    Attributes:
        tumor: The main tumor.
        satellites: The nodules near it.
        of_tumor: Signed distance to the main tumor's surface in mm.
        of_satellites: That of each satellite.
        rng: Source of what concerns the satellites alone.
    """

    tumor: Tumor
    satellites: tuple[Satellite, ...]
    of_tumor: Voxels
    of_satellites: tuple[Voxels, ...]
    rng: np.random.Generator

    @classmethod
    def grow(
        cls, grid: FineGrid, anatomy: Anatomy, tumor: Tumor, number: int, rng: np.random.Generator
    ) -> "LesionShapes":
        """Let the liver cover the tumor, place satellites in it and cover them, too."""
        of_tumor = tumor.distance(grid)
        anatomy.grow_around(of_tumor)
        satellites = draw_satellites(number, grid, anatomy.liver, of_tumor, rng)
        of_satellites = tuple(satellite.distance(grid) for satellite in satellites)
        for distance in of_satellites:
            anatomy.grow_around(distance, rim_mm=RIM_MM)
        return cls(tumor, satellites, of_tumor, of_satellites, rng)

    def distance(self) -> Voxels:
        """Return the signed distance to the nearest surface in mm."""
        nearest = self.of_tumor
        for distance in self.of_satellites:
            nearest = np.minimum(nearest, distance)
        return nearest

    def surroundings(self, grid: FineGrid) -> tuple[slice, slice, slice]:
        """Return the box that holds the lesions and all that they do to their neighborhood."""
        balls = [(self.tumor.center, 1.5 * self.tumor.radius)]
        balls += [(satellite.center, satellite.radius) for satellite in self.satellites]
        around = CORONA_MM[1] + 4
        low = np.min([np.subtract(center, reach) for center, reach in balls], axis=0) - around
        high = np.max([np.add(center, reach) for center, reach in balls], axis=0) + around
        return grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))[0]


def draw_satellites(
    number: int, grid: FineGrid, liver: Voxels, tumor: Voxels, rng: np.random.Generator
) -> tuple[Satellite, ...]:
    """Place nodules in the liver, apart from the tumor and from each other.

    Args:
        number: How many.
        grid: The fine grid.
        liver: Signed distance to the surface of the liver, tumor included, in mm.
        tumor: Signed distance to the surface of the main tumor.
        rng: Source of sizes and places.
    """
    placed: list[Satellite] = []
    for _ in range(number):
        radius = float(rng.uniform(*RADIUS_MM))
        free = (tumor > GAP_MM[0] + radius) & (tumor < GAP_MM[1] + radius) & (liver < 0)
        for other in placed:
            free &= other.distance(grid) > radius + GAP_MM[0]
        free &= np.abs(grid.z) < np.abs(grid.z).max() - radius - FROM_THE_EDGE_MM
        candidates = np.argwhere(free)
        if not len(candidates):
            break
        tried = candidates[rng.integers(len(candidates), size=TRIES)]
        depth = liver[tuple(tried.T)] + radius + FROM_THE_EDGE_MM
        deep = np.flatnonzero(depth < 0)
        z, y, x = tried[deep[0] if len(deep) else depth.argmin()]
        center = (float(grid.x[x]), float(grid.y[y, 0]), float(grid.z[z, 0, 0]))
        placed.append(Satellite(center, radius))
    return tuple(placed)

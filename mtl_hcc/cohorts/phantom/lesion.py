"""The tumor: where it grows, its shape, and what each phase shows of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.cohorts.phantom.space import FINE_MM, FineGrid, Point, Voxels, filled

ROUGHNESS = 0.17
"""Standard deviation of the radius, relative, at full irregularity."""
CORONA_HU = 40.0
CORONA_MM = (2.0, 9.0)
"""The corona lies this far outside the tumor surface."""
CAPSULE_HU = (0.0, 55.0, 16.5)
"""Extra HU of a complete capsule in the arterial, portal venous and delayed phase."""
CAPSULE_WIDTH_MM = 1.5
"""Standard deviation of the capsule's profile: about 3.5 mm wide at half height."""
WASHOUT_HU = (0.0, -45.0, -13.5)
ARTERIAL_HU = (4.0, 55.0)
"""Tumor above liver in the arterial phase: without and with full hyperenhancement."""
ISODENSE_HU = (0.0, 3.0, 2.0)
NECROSIS_HU = 28.0
NECROSIS_SHARE = 0.42
"""Share of the tumor's volume that is dead at full necrosis."""
INFILTRATION_MM = (12.0, 3.0)
"""At full infiltration the border is so much softer, and moved by so much (standard deviation)."""


@dataclass(frozen=True)
class Bumps:
    r"""A smooth random function on the sphere, mean about 0 and standard deviation about 1.

    :math:`f(n) = \sqrt{2/K} \sum_k \cos(\kappa_k \cdot n + \phi_k)`.
    """

    waves: npt.NDArray[np.float32]
    phases: npt.NDArray[np.float32]

    @classmethod
    def draw(cls, rng: np.random.Generator, *, number: int = 6, frequency: float = 5.0) -> "Bumps":
        """Draw a function with lobes of about pi / ``frequency`` rad."""
        directions = rng.standard_normal((number, 3))
        directions *= frequency / np.linalg.norm(directions, axis=1, keepdims=True)
        offsets = rng.uniform(0, 2 * np.pi, number)
        return cls(directions.astype(np.float32), offsets.astype(np.float32))

    def at(self, x: Voxels, y: Voxels, z: Voxels) -> Voxels:
        """Return the function at points of the unit sphere."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
        for wave, offset in zip(self.waves, self.phases, strict=True):
            total += np.cos(wave[0] * x + wave[1] * y + wave[2] * z + offset)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


@dataclass(frozen=True)
class Tumor:
    """A tumor's place and surface; its volume is that of a sphere of the given diameter."""

    center: Point
    radius: float
    roughness: float
    bumps: Bumps

    @classmethod
    def draw(
        cls,
        grid: FineGrid,
        liver: Voxels,
        diameter: float,
        irregularity: float,
        rng: np.random.Generator,
    ) -> "Tumor":
        """Place a tumor in the liver, as deep as its size asks for."""
        bumps = Bumps.draw(rng)
        roughness = ROUGHNESS * irregularity
        sphere = _sphere_points(400)
        stretch = 1 + np.clip(roughness * bumps.at(*sphere), -0.5, 0.5)
        radius = diameter / 2 / float(np.mean(stretch**3)) ** (1 / 3)
        return cls(_place(grid, liver, diameter / 2, rng), radius, roughness, bumps)

    def distance(self, grid: FineGrid) -> Voxels:
        """Return the signed distance, roughly, to the surface in mm."""
        x, y, z = (
            axis - np.float32(c)
            for axis, c in zip((grid.x, grid.y, grid.z), self.center, strict=True)
        )
        distance = np.asarray(np.sqrt(x**2 + y**2 + z**2), dtype=np.float32)
        result = distance - np.float32(self.radius)
        reach = 0.5 * self.radius + 12
        near = np.nonzero(np.abs(result) < reach)
        length = np.maximum(distance[near], 1e-3).astype(np.float32)
        lobes = self.bumps.at(
            x[near[2]] / length, y[near[1], 0] / length, z[near[0], 0, 0] / length
        )
        result[near] -= self.radius * np.clip(self.roughness * lobes, -0.5, 0.5)
        return result


def _sphere_points(number: int) -> tuple[Voxels, Voxels, Voxels]:
    """Points spread evenly over the unit sphere (Fibonacci lattice)."""
    k = np.arange(number) + 0.5
    z = 1 - 2 * k / number
    turn = np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z**2)
    return (
        (flat * np.cos(turn)).astype(np.float32),
        (flat * np.sin(turn)).astype(np.float32),
        z.astype(np.float32),
    )


def _place(grid: FineGrid, liver: Voxels, radius: float, rng: np.random.Generator) -> Point:
    """Draw places in the liver until one is deep enough; else take the deepest."""
    low, high = (-88.0, -52.0, -30.0), (24.0, 40.0, 36.0)
    best, depth_of_best = (-50.0, -4.0, 0.0), np.inf
    for _ in range(60):
        point = rng.uniform(low, high)
        index = tuple(
            int(np.abs(axis.ravel() - p).argmin())
            for axis, p in zip((grid.z, grid.y, grid.x), point[::-1], strict=True)
        )
        depth = float(liver[index])
        if depth < depth_of_best:
            best, depth_of_best = tuple(point), depth
        if depth < -(0.6 * radius + 3):
            break
    return best


@dataclass(frozen=True)
class Appearance:
    """Strengths, 0 to 1, of what the phases show of a tumor."""

    capsule: float
    hyperenhancement: float
    washout: float
    necrosis: float
    corona: float
    infiltration: float = 0.0


def paint_tumor(
    tissue: Voxels,
    liver_hu: float,
    phase: int,
    distance: Voxels,
    tumor: Tumor,
    look: Appearance,
    texture: Voxels,
    *,
    contrast: float,
) -> Voxels:
    """Return the HU of a box around the tumor in one phase, tumor and its surroundings painted in.

    Args:
        tissue: HU without tumor, (depth, height, width).
        liver_hu: HU of the liver in this phase.
        phase: 0 arterial, 1 portal venous, 2 delayed.
        distance: Signed distance to the tumor surface in mm, same shape.
        tumor: The tumor's geometry.
        look: Its appearance.
        texture: Noise of mean 0 and standard deviation 1, same shape.
        contrast: Factor on every difference to the liver.
    """
    value = ISODENSE_HU[phase] + WASHOUT_HU[phase] * look.washout
    if phase == 0:
        value += ARTERIAL_HU[0] + (ARTERIAL_HU[1] - ARTERIAL_HU[0]) * look.hyperenhancement
    solid = liver_hu + contrast * value + 4 * texture
    dead = filled(distance + tumor.radius * (1 - (NECROSIS_SHARE * look.necrosis) ** (1 / 3)), 4.0)
    solid += dead * (contrast * (NECROSIS_HU - liver_hu - value))
    if phase == 0:
        ring = filled(CORONA_MM[0] - distance, 2.0) * filled(distance - CORONA_MM[1], 3.0)
        tissue = tissue + contrast * CORONA_HU * look.corona * ring
    soft, ragged = (look.infiltration * mm for mm in INFILTRATION_MM)
    border = distance + np.float32(ragged) * texture if ragged else distance
    inside = filled(border, FINE_MM + soft)
    painted = tissue + inside * (solid - tissue)
    if CAPSULE_HU[phase]:
        profile = np.exp(-0.5 * (distance / CAPSULE_WIDTH_MM) ** 2)
        painted += contrast * CAPSULE_HU[phase] * look.capsule * profile
    return np.asarray(painted, dtype=np.float32)

"""The upper abdomen around the tumor: body wall, spine, liver with vessels, spleen, LOAT."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from mtl_hcc.cohorts.phantom.space import (
    FINE_MM,
    FineGrid,
    Point,
    Voxels,
    cylinder,
    ellipsoid,
    filled,
    smooth_union,
    tube,
)

ENHANCEMENT = {
    # tissue: HU in the (arterial, portal venous, delayed) phase, as in adults without fat liver
    "liver": (65.0, 112.0, 95.0),
    "portal_vein": (122.0, 172.0, 130.0),
    "hepatic_vein": (60.0, 160.0, 124.0),
    "aorta": (310.0, 165.0, 128.0),
    "spleen": (125.0, 125.0, 102.0),
    "stomach_wall": (75.0, 85.0, 80.0),
    "stomach": (15.0, 15.0, 15.0),
    "bowel": (60.0, 80.0, 72.0),
    "muscle": (56.0, 62.0, 62.0),
    "fat": (-105.0, -100.0, -100.0),
    "bone": (230.0, 235.0, 230.0),
    "marrow": (120.0, 130.0, 125.0),
    "air": (-1000.0, -1000.0, -1000.0),
}
HOLLOW_CENTER: Point = (34.0, 18.0, 0.0)
"""Where the lesser omentum lies, between liver and stomach."""
CAVA = ((-20.0, 42.0), 11.0)
AORTA = ((14.0, 50.0), 11.0)
"""Center (x, y) and radius."""
HOLLOW_ASPECT = 1.4
HOLLOW_AREA_MM2 = 2000.0
OMENTUM_EXPONENT = 3.0
LOAT_HALF_HEIGHT_MM = 20.0
CALIBER = (1.2, 1.5)
"""A patient's vessels are this much wider than the radii below."""
PORTAL_BRANCHES: tuple[tuple[Point, Point, tuple[float, float]], ...] = (
    ((4, 16, -38), (-14, 4, -8), (6.5, 6.5)),
    ((-14, 4, -8), (-48, 4, 2), (6.5, 6.0)),
    ((-48, 4, 2), (-86, -20, 20), (6.0, 3.5)),
    ((-48, 4, 2), (-82, 28, -24), (6.0, 3.5)),
    ((-48, 4, 2), (-62, -40, -14), (5.0, 3.0)),
    ((-48, 4, 2), (-66, 26, 34), (5.0, 3.0)),
    ((-66, -8, 11), (-94, 10, 4), (4.5, 3.0)),
    ((-62, 15, -9), (-50, 40, -34), (4.5, 3.0)),
    ((-14, 4, -8), (-6, -24, 10), (6.0, 5.0)),
    ((-6, -24, 10), (34, -46, 20), (5.0, 3.0)),
    ((-6, -24, 10), (-18, -56, 22), (4.5, 3.0)),
)
HEPATIC_BRANCHES: tuple[tuple[Point, Point, tuple[float, float]], ...] = (
    ((-20, 36, 52), (-80, 6, 8), (6.5, 3.0)),
    ((-20, 36, 52), (-40, -36, 14), (6.0, 3.0)),
    ((-20, 36, 52), (10, -42, 34), (5.5, 3.0)),
)
"""Start, end, and the radius at both, in mm. Vessels fill about 5% of the liver."""


@dataclass
class Anatomy:
    """The shapes that matter to the tumor; each a signed distance in mm, negative inside.

    Attributes:
        size: Body size, 1 on average.
        body: Skin, (1, height, width).
        inner: Inside of the body wall, (1, height, width).
        liver: Whole liver.
        loat: Adipose tissue of the lesser omentum.
        nodules: Texture of mean 0 and standard deviation 1 with nodules of about 10 mm.
    """

    size: float
    body: Voxels
    inner: Voxels
    liver: Voxels
    loat: Voxels
    nodules: Voxels

    def grow_around(self, tumor: Voxels, rim_mm: float = 9.0) -> None:
        """Let a rim of liver cover a tumor (its signed distance) that bulges out of the liver."""
        grown = smooth_union(self.liver, tumor - rim_mm, 10)
        self.liver = np.maximum(grown, self.inner)
        self.loat = np.maximum(self.loat, 1 - self.liver)


def build_anatomy(
    grid: FineGrid, *, nodularity: float, loat_area_mm2: float, rng: np.random.Generator
) -> Anatomy:
    """Shape one patient's abdomen; size, place and texture vary with ``rng``."""
    size = float(rng.normal(1.0, 0.03))
    nodules = _nodules(grid, rng)
    body = ellipsoid(grid, (0, 0, 0), (126 * size, 92 * size, 1e6), 2.4)[:1]
    inner = body + np.float32(rng.normal(17, 2))
    liver = _liver(grid, size, rng) - 1.3 * nodularity * nodules
    hollow = ellipsoid(grid, HOLLOW_CENTER, _omentum_axes(HOLLOW_AREA_MM2, 26.0), OMENTUM_EXPONENT)
    for outside in (inner, -hollow, -cylinder(grid, *CAVA), -cylinder(grid, *AORTA)):
        np.maximum(liver, outside, out=liver)
    loat = ellipsoid(
        grid, HOLLOW_CENTER, _omentum_axes(loat_area_mm2, LOAT_HALF_HEIGHT_MM), OMENTUM_EXPONENT
    )
    return Anatomy(size, body, inner, liver.astype(np.float32), loat, nodules)


def tissue_layers(
    grid: FineGrid, anatomy: Anatomy, rng: np.random.Generator
) -> list[tuple[str, Voxels]]:
    """Return the tissues in painting order, each with the share of every voxel that it fills."""
    inner = anatomy.inner
    spine = cylinder(grid, (0, 84), 24)
    stomach = ellipsoid(grid, (84, -30, 12), (30, 34, 46), 2.2)
    spleen = ellipsoid(grid, (88, 40, 20), (20, 34, 46), 2.2)
    hollow = ellipsoid(grid, HOLLOW_CENTER, _omentum_axes(HOLLOW_AREA_MM2, 26.0), OMENTUM_EXPONENT)
    layers = [
        ("fat", filled(anatomy.body)),
        ("muscle", filled(anatomy.body + 9)),
        ("fat", filled(inner + 1)),
        ("muscle", filled(cylinder(grid, (-32, 76), 17))),
        ("muscle", filled(cylinder(grid, (32, 76), 17))),
        ("bone", filled(spine)),
        ("marrow", filled(spine + 4)),
        ("hepatic_vein", filled(cylinder(grid, *CAVA))),
        ("aorta", filled(cylinder(grid, *AORTA))),
        ("bowel", filled(ellipsoid(grid, (30, 0, -62), (60, 30, 22), 2.5))),
        ("stomach_wall", filled(np.maximum(stomach, inner + 2))),
        ("stomach", filled(np.maximum(stomach + 5, inner + 7))),
        ("spleen", filled(np.maximum(spleen, inner + 2))),
        ("bowel", filled(hollow)),
        ("fat", filled(anatomy.loat)),
        ("liver", filled(anatomy.liver)),
    ]
    sway = rng.normal(0, 4, size=3)
    inside = filled(anatomy.liver + 3)
    for tissue, branches in (
        ("portal_vein", PORTAL_BRANCHES),
        ("hepatic_vein", HEPATIC_BRANCHES),
    ):
        layers.append((tissue, _vessels(grid, branches, sway, rng) * inside))
    return layers


def _omentum_axes(area: float, half_height: float) -> Point:
    """Half axes of a superellipse of that axial area, and its half height, in mm."""
    p = OMENTUM_EXPONENT
    unit_area = 4 * special.gamma(1 + 1 / p) ** 2 / special.gamma(1 + 2 / p)
    half = float(np.sqrt(area / unit_area))
    return (half * HOLLOW_ASPECT**0.5, half / HOLLOW_ASPECT**0.5, half_height)


def _nodules(grid: FineGrid, rng: np.random.Generator) -> Voxels:
    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    field_ = ndimage.gaussian_filter(noise, 3.2 / FINE_MM, truncate=2.5, mode="wrap")
    return np.asarray(field_ / field_.std(), dtype=np.float32)


def _liver(grid: FineGrid, size: float, rng: np.random.Generator) -> Voxels:
    jitter = rng.normal(0, 2.5, size=6)
    right = ellipsoid(
        grid,
        (-50 + jitter[0], -4 + jitter[1], 2),
        (60 * size, 66 * size, 70 * size + jitter[2]),
        2.5,
    )
    left = ellipsoid(
        grid,
        (6 + jitter[3], -44 + jitter[4], 22),
        (58 * size + jitter[5], 31 * size, 34 * size),
        2.3,
    )
    return smooth_union(right, left, 24)


def _vessels(
    grid: FineGrid,
    branches: tuple[tuple[Point, Point, tuple[float, float]], ...],
    sway: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    rng: np.random.Generator,
) -> Voxels:
    share = np.zeros(grid.shape, dtype=np.float32)
    caliber = float(rng.uniform(*CALIBER))
    for start, end, radius in branches:
        a, b = np.add(start, sway), np.add(end, sway)
        low, high = np.minimum(a, b) - 12, np.maximum(a, b) + 12
        place, part = grid.box(tuple(low), tuple(high))
        thick = (radius[0] * caliber, radius[1] * caliber)
        np.maximum(share[place], filled(tube(part, tuple(a), tuple(b), thick)), out=share[place])
    return share

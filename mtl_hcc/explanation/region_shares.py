"""How much of a map lies in tumor, ring and liver, and how much would at a random place."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects
from scipy.signal import correlate

from mtl_hcc.regions import Region

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

PARTS = ("tumor", "ring", "tumor_ring", "liver", "rest")
"""Tumor; liver within the ring's reach outside it; both; the other liver; everything else."""
MOVED = ("tumor", "ring", "tumor_ring")
"""Parts that have a null: they move with the tumor."""
FEWEST_PLACES = 50
"""When the tumor fits at fewer other places, those where most of it fits are added."""


@dataclass(frozen=True)
class Zones:
    """The zones of one phase on the prepared grid.

    Attributes:
        tumor: (depth, height, width).
        liver: The whole organ, tumor included.
        spacing: (z, y, x) in mm.
        ring_mm: Reach of the ring outside the tumor surface.
    """

    tumor: Mask
    liver: Mask
    spacing: tuple[float, float, float]
    ring_mm: float

    @classmethod
    def of(
        cls, bits: NDArray[np.uint8], *, spacing: tuple[float, float, float], ring_mm: float
    ) -> "Zones":
        """Read the zones from a prepared region map."""
        tumor, liver = ((bits & np.uint8(region)) > 0 for region in (Region.TUMOR, Region.LIVER))
        return cls(tumor, liver | tumor, spacing, ring_mm)

    def parts(self) -> dict[str, Mask]:
        """Return the mask of every name in ``PARTS``."""
        ring = _around(self.tumor, self.spacing, self.ring_mm) & self.liver
        near = self.tumor | ring
        return {
            "tumor": self.tumor,
            "ring": ring,
            "tumor_ring": near,
            "liver": self.liver & ~near,
            "rest": ~(self.liver | near),
        }


@dataclass(frozen=True)
class Null:
    """Shares and hits of the moved parts at random places of the tumor.

    Attributes:
        share: (map, part of ``MOVED``, draw).
        hit: Same shape, 0 or 1: whether the map's peak lies in the moved part.
        places: How many places there were to draw from.
        inside: Mean share of the moved tumor that lies in the liver.
    """

    share: FloatArray
    hit: FloatArray
    places: int
    inside: float


def shares_and_hits(maps: FloatArray, parts: dict[str, Mask]) -> tuple[FloatArray, FloatArray]:
    """Return the share of each map's energy in each part, and whether its peak lies there.

    Args:
        maps: (map, depth, height, width), zero or more.
        parts: From :meth:`Zones.parts`.

    Returns:
        (map, part) shares and (map, part) hits; NaN for a map that is zero everywhere.
    """
    flat = maps.reshape(len(maps), -1)
    total = flat.sum(axis=1, keepdims=True)
    inside = np.stack([mask.ravel() for mask in parts.values()])  # (part, voxel)
    energy = flat @ inside.T.astype(np.float64)
    empty = total <= 0
    share = np.where(empty, np.nan, energy / np.where(empty, 1, total))
    hit = inside[:, flat.argmax(axis=1)].T.astype(np.float64)
    return share, np.where(empty, np.nan, hit)


def null_distribution(
    maps: FloatArray, zones: Zones, *, draws: int, rng: np.random.Generator
) -> Null | None:
    """Move the tumor to random places of the liver, as it is, and measure the shares there.

    The tumor keeps size and shape, and its ring (within the liver) goes with it. Places where all
    of it lies in the liver and in the field of view are drawn with equal chance; where there are
    few of them, the places where most of it lies in the liver are added.

    What this null cannot tell: the field of view is centered on the tumor, and the stem is given
    its mask, so maps of random weights may lie there too. The sanity test measures how much.

    Args:
        maps: (map, depth, height, width).
        zones: Of the same phase.
        draws: Number of places drawn.
        rng: For the draw.

    Returns:
        The null, or ``None`` when the tumor has no other place.
    """
    if not zones.tumor.any():
        return None
    corner, box = _box(zones.tumor)
    places, fits = _places(zones.liver, box, corner)
    if not len(places):
        return None
    drawn = rng.integers(len(places), size=draws)
    reach = [math.ceil(zones.ring_mm / mm) + 1 for mm in zones.spacing]
    kernel = np.pad(box, [(r, r) for r in reach])
    ring = _around(kernel, zones.spacing, zones.ring_mm)
    pad = [(r, r) for r in reach]
    stacked = np.stack([np.pad(one, pad) for one in maps], axis=-1)  # (z, y, x, map)
    liver = np.pad(zones.liver, pad)
    values = stacked.reshape(-1, len(maps))
    in_liver = liver.ravel()
    tumor_at, ring_at = (np.ravel_multi_index(np.nonzero(m), liver.shape) for m in (kernel, ring))
    share = np.empty((len(maps), len(MOVED), draws))
    for number, place in enumerate(places[drawn]):
        start = int(np.ravel_multi_index(tuple(place), liver.shape))
        around = ring_at + start
        share[:, 0, number] = values[tumor_at + start].sum(axis=0)
        share[:, 1, number] = values[around[in_liver[around]]].sum(axis=0)
    share[:, 2] = share[:, 0] + share[:, 1]
    hit = _peak_hits(values.argmax(axis=0), places[drawn], kernel, ring, liver)
    total = values.sum(axis=0)[:, None, None]
    empty = total <= 0
    share = np.where(empty, np.nan, share / np.where(empty, 1, total))
    return Null(share, np.where(empty, np.nan, hit), len(places), float(fits[drawn].mean()))


def one_sided_p(observed: float, null: FloatArray) -> float:
    """Return the permutation p-value of "more than at random places"; never zero.

    ``p = (1 + #{null >= observed}) / (1 + draws)`` (Phipson and Smyth 2010).
    """
    if math.isnan(observed) or np.isnan(null).any() or not len(null):
        return math.nan
    return float((1 + np.count_nonzero(null >= observed - 1e-12)) / (1 + len(null)))


def _around(tumor: Mask, spacing: tuple[float, float, float], reach_mm: float) -> Mask:
    """Return the voxels outside the tumor whose centers lie within reach of its surface.

    The distance map runs from center to center; the surface lies half a voxel nearer.
    """
    if reach_mm <= 0:
        return np.zeros_like(tumor)
    distance = distance_transform_edt(~tumor, sampling=spacing)
    ring: Mask = np.asarray((distance > 0) & (distance <= reach_mm + min(spacing) / 2))
    return ring


def _peak_hits(
    peak: NDArray[np.int64], places: NDArray[np.int64], tumor: Mask, ring: Mask, liver: Mask
) -> FloatArray:
    """Return (map, part of ``MOVED``, draw): whether the peak lies in the part at each place.

    Args:
        peak: (map,) flat index into ``liver``.
        places: (draw, zyx) where the kernel begins.
        tumor: Kernel of the tumor.
        ring: Kernel of the ring, same shape.
        liver: (depth, height, width).
    """
    voxel = np.stack(np.unravel_index(peak, liver.shape), axis=1)  # (map, zyx)
    offset = voxel[:, None] - places[None]  # (map, draw, zyx)
    inside: Mask = np.asarray(((offset >= 0) & (offset < tumor.shape)).all(axis=2))
    z, y, x = np.where(inside[..., None], offset, 0).transpose(2, 0, 1)
    in_tumor = inside & tumor[z, y, x]
    in_ring = inside & ring[z, y, x] & liver.ravel()[peak][:, None]
    return np.stack([in_tumor, in_ring, in_tumor | in_ring], axis=1).astype(np.float64)


def _box(mask: Mask) -> tuple[tuple[int, ...], Mask]:
    """Return the first voxel of a mask's bounding box, and the mask in it."""
    (block,) = find_objects(mask.astype(np.uint8))
    return tuple(part.start for part in block), mask[block]


def _places(liver: Mask, box: Mask, own: tuple[int, ...]) -> tuple[NDArray[np.int64], FloatArray]:
    """Return where the box can go (place, zyx), and the share of its voxels in the liver there."""
    fit = correlate(liver.astype(np.float32), box.astype(np.float32), mode="valid", method="fft")
    voxels = np.rint(fit).astype(np.int64)
    voxels[own] = -1
    order = np.argsort(-voxels.ravel(), kind="stable")
    sorted_voxels = voxels.ravel()[order]
    count = max(int(np.count_nonzero(sorted_voxels == box.sum())), FEWEST_PLACES)
    kept = order[:count][sorted_voxels[:count] > 0]
    places = np.stack(np.unravel_index(kept, voxels.shape), axis=1)
    return places, voxels.ravel()[kept] / float(box.sum())

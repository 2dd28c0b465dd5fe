"""How well two masks of one region agree: overlap, and the distance of their surfaces in mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import BoolArray, FloatArray

BOTH_EMPTY = "both masks are empty"
ONE_EMPTY = "one mask is empty: no surface to measure to"


@dataclass(frozen=True)
class MaskAgreement:
    """How well two masks agree.

    Attributes:
        dice: 1 = the same voxels; 0 where only one mask is empty, NaN where both are.
        hausdorff_95_mm: 95th percentile of the distances from one surface to the other, the larger
            of both directions; NaN without a surface.
        assd_mm: Average symmetric surface distance; NaN without a surface.
        reason: Why a value is NaN, else empty.
    """

    dice: float
    hausdorff_95_mm: float
    assd_mm: float
    reason: str


def mask_agreement(
    first: npt.ArrayLike, second: npt.ArrayLike, spacing_mm: Sequence[float]
) -> MaskAgreement:
    """Compare two masks drawn on one grid.

    Args:
        first: (plane, row, column) bool, any number of axes.
        second: Of the same shape.
        spacing_mm: Voxel size along each axis of the arrays (SimpleITK's spacing reversed).

    Example:
        >>> mask_agreement([[0, 1, 1, 0]], [[0, 0, 1, 1]], (1.0, 2.0))
        MaskAgreement(dice=0.5, hausdorff_95_mm=2.0, assd_mm=1.0, reason='')
    """
    a, b = _cropped(np.asarray(first, dtype=bool), np.asarray(second, dtype=bool))
    overlap = dice(a, b)
    if not (a.any() and b.any()):
        reason = ONE_EMPTY if a.any() or b.any() else BOTH_EMPTY
        return MaskAgreement(overlap, float("nan"), float("nan"), reason)
    there, back = surface_distances(a, b, spacing_mm)
    farthest = max(float(np.quantile(there, 0.95)), float(np.quantile(back, 0.95)))
    mean = float(np.concatenate([there, back]).mean())
    return MaskAgreement(overlap, farthest, mean, "")


def dice(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    r"""Return Dice's coefficient :math:`2 |A \cap B| / (|A| + |B|)`, NaN if both are empty."""
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else float("nan")


def surface_distances(
    first: BoolArray, second: BoolArray, spacing_mm: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Return the distance in mm of each surface voxel of one mask to the other's surface.

    A surface voxel is one with a neighbor outside the mask across a face; beyond the border of the
    image all is outside, so a mask that touches the border has a surface there (as in MONAI).

    Args:
        first: (plane, row, column), not empty.
        second: Of the same shape, not empty.
        spacing_mm: Voxel size along each axis.

    Returns:
        From the first mask's surface to the second's, (voxel,), and back.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    edges = [mask & ~binary_erosion(mask) for mask in (first, second)]
    to_first, to_second = (
        distance_transform_edt(~edge, sampling=tuple(spacing_mm)) for edge in edges
    )
    return to_second[edges[0]], to_first[edges[1]]


def _cropped(first: BoolArray, second: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Cut both masks to the box around them: outside it nothing changes a distance."""
    either = first | second
    if not either.any():
        return first, second
    box = []
    for axis in range(either.ndim):
        others = tuple(other for other in range(either.ndim) if other != axis)
        inside = np.flatnonzero(either.any(axis=others))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return first[tuple(box)], second[tuple(box)]

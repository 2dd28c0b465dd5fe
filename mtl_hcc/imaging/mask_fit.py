"""Does the drawn liver lie on the liver? Seen from the image: one tissue inside, another around."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn

from mtl_hcc.imaging.overview import OVERVIEW_MM, Overview, depth_mm, distance_mm

_CORE_MM = 8.0
"""So deep inside the drawn liver there is liver, even where the drawing is loose."""
_INSIDE_MM = 3.0
_AROUND_MM = (3.0, 12.0)
"""The tissue around the liver is looked at in this band outside of it."""
_FEWEST = 30
"""Fewer voxels of 4 mm (2 ml) say nothing about a tissue."""
_LIKE_HU = 25.0
_LIKE_SPREADS = 2.5
"""Without a unit, what lies within so many robust standard deviations of the core is like it."""
_FARTHEST_MM = 28.0
"""A drawing is moved by up to this much along each axis to see whether it then fits better."""


@dataclass(frozen=True)
class MaskFit:
    """How a drawn liver fits the image.

    Attributes:
        center: Median intensity of the core, in the image's unit.
        low: 5th percentile inside the liver.
        high: 99th percentile inside the liver: its vessels.
        core_share: Share of the core that looks like its median.
        score: Share of the liver minus share of its surroundings that look like the core: 1 is
            perfect, 0 is chance.
        shift_mm: (x, y, z) by which the drawing would have to be moved to fit best, LPS.
        shift_gain: How much the score would gain by it.
    """

    center: float
    low: float
    high: float
    core_share: float
    score: float
    shift_mm: tuple[float, float, float]
    shift_gain: float


def liver_voxels(seen: Overview) -> NDArray[np.bool_]:
    """Return the voxels inside the drawn liver, away from its surface and from the tumor."""
    return (depth_mm(seen.organ) > _INSIDE_MM) & seen.away_from_tumor


def mask_fit(seen: Overview, *, hounsfield: bool) -> MaskFit | None:
    """Judge one phase's drawing; ``None`` where too little liver was drawn.

    Args:
        seen: The phase at a glance.
        hounsfield: Whether intensities are HU; else all scales come from the image itself.
    """
    clear = seen.away_from_tumor
    depth, distance = depth_mm(seen.organ), distance_mm(seen.organ)
    inside = (depth > _INSIDE_MM) & clear
    core = (depth > _CORE_MM) & clear
    core = core if np.count_nonzero(core) >= _FEWEST else inside
    if np.count_nonzero(core) < _FEWEST:
        return None
    around = (distance > _AROUND_MM[0]) & (distance <= _AROUND_MM[1]) & seen.covered
    center = float(np.median(seen.values[core]))
    away = np.abs(seen.values - np.float32(center))
    like = away < (_LIKE_HU if hounsfield else _LIKE_SPREADS * 1.4826 * np.median(away[core]))
    scores = _scores(like & seen.covered, inside, around)
    here = np.array(scores.shape) // 2
    best = np.array(np.unravel_index(int(scores.argmax()), scores.shape))
    score = float(scores[tuple(here)])
    x, y, z = ((best - here) * OVERVIEW_MM)[::-1]
    values = seen.values[inside]
    return MaskFit(
        center=center,
        low=float(np.percentile(values, 5)),
        high=float(np.percentile(values, 99)),
        core_share=float(like[core].mean()),
        score=score,
        shift_mm=(float(x), float(y), float(z)),
        shift_gain=float(scores[tuple(best)]) - score,
    )


def _scores(
    like: NDArray[np.bool_], inside: NDArray[np.bool_], around: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    """Return the score of the drawing for each shift (z, y, x); no shift stands in the middle."""
    weights = inside.astype(np.float32) / max(1.0, float(np.count_nonzero(inside)))
    weights -= around.astype(np.float32) / max(1.0, float(np.count_nonzero(around)))
    reach = int(_FARTHEST_MM / OVERVIEW_MM)
    size = [next_fast_len(count + 2 * reach, real=True) for count in like.shape]
    padded = np.zeros(size, dtype=np.float32)
    padded[tuple(slice(reach, reach + count) for count in like.shape)] = like
    # Correlation, score(s) = sum over p of weights(p) * like(p + s): the padding keeps every shift
    # within reach free of what a Fourier transform wraps around.
    spectrum = rfftn(padded) * np.conj(rfftn(weights, s=size))
    shifts = slice(0, 2 * reach + 1)
    return np.asarray(irfftn(spectrum, s=size)[shifts, shifts, shifts])

"""Regions: labels as drawn, and the bits of prepared region maps. Their one home."""

from collections.abc import Iterable
from enum import IntEnum, IntFlag

BACKGROUND_LIVER = "background_liver"
"""What is left of the liver outside the tumor and all zones around it."""


class Label(IntEnum):
    """Labels as drawn in ``regions.nii.gz``."""

    BACKGROUND = 0
    LIVER = 1
    TUMOR = 2
    LOAT = 3


class Region(IntFlag):
    """Bits of a prepared region map: regions overlap (the margin lies half inside the tumor).

    Zones that a recipe derives besides the margin get further bits, see :func:`region_bits`.
    """

    LIVER = 1
    """The whole organ, tumor included."""
    TUMOR = 2
    MARGIN = 4
    """Band on both sides of the tumor surface."""
    LOAT = 8


DRAWN = ("liver", "tumor", "loat")
"""Regions that a reader draws; all others are zones, derived by distance."""
_FURTHER_BITS = (16, 32, 64, 128)


def region_bits(zones: Iterable[str] = ("margin",)) -> dict[str, int]:
    """Return the bit of each region of a recipe.

    Args:
        zones: Names of the zones, in the order of the recipe.

    Raises:
        ValueError: More zones than bits, or a name that is taken.
    """
    names = list(zones)
    for name in names:
        if name in DRAWN or name == BACKGROUND_LIVER:
            raise ValueError(f"a zone cannot be called '{name}': that region is drawn")
    further = [name for name in names if name != "margin"]
    if len(further) > len(_FURTHER_BITS):
        raise ValueError(
            f"{len(further)} zones besides the margin; a region map holds {len(_FURTHER_BITS)}"
        )
    bits = {name: int(Region[name.upper()]) for name in DRAWN}
    if "margin" in names:
        bits["margin"] = int(Region.MARGIN)
    return bits | dict(zip(further, _FURTHER_BITS, strict=False))

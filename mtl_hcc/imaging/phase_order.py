"""Do liver and vessels brighten from phase to phase as contrast medium makes them?"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from mtl_hcc.imaging.finding import Finding
from mtl_hcc.imaging.mask_fit import MaskFit
from mtl_hcc.imaging.overview import Overview

_MARGIN_HU = 10.0
"""Means over thousands of voxels carry no noise; calibration and motion stay below this."""
_DARKER_THEN = {
    ("arterial", "portal_venous"): "arterial",
    ("arterial", "delayed"): "arterial",
    ("portal_venous", "delayed"): "delayed",
}
"""Pairs of phases to the one in which liver and liver vessels are darker."""


def check_phase_order(fits: Mapping[str, MaskFit], *, where: str) -> list[Finding]:
    """Return the pairs of CT phases whose liver says that they were exchanged.

    Sure is an exchange that parenchyma and vessels of the liver tell alike: a steatotic or poorly
    perfused liver may be odd in one of them.

    Args:
        fits: Phase to the measurements of its liver, in HU.
        where: The patient.
    """
    found = []
    for (first, second), darker in _DARKER_THEN.items():
        if first not in fits or second not in fits:
            continue
        brighter = second if darker == first else first
        parenchyma = fits[darker].center - fits[brighter].center
        vessels = fits[darker].high - fits[brighter].high
        if parenchyma < _MARGIN_HU:
            continue
        sure = vessels > 0
        found.append(
            Finding(
                where=where,
                found=f"the liver is brighter in the {darker} phase ({fits[darker].center:.0f} HU) "
                f"than in the {brighter} phase ({fits[brighter].center:.0f} HU)"
                + (f", and its vessels are, by {vessels:.0f} HU" if sure else ""),
                expected=f"a brighter liver in the {brighter} phase",
                remedy="Check whether the files of these phases were exchanged.",
                sure=sure,
            )
        )
    return found[:1] if any(finding.sure for finding in found) else found


def check_copies(seen: Mapping[str, Overview], *, where: str) -> list[Finding]:
    """Return phases that are copies of each other.

    Args:
        seen: Phase to its overview.
        where: The patient.
    """
    for (first, one), (second, other) in combinations(seen.items(), 2):
        if one.values.shape == other.values.shape and np.array_equal(one.values, other.values):
            return [
                Finding(
                    where=where,
                    found=f"{first} and {second} are the same image",
                    expected="one image per phase",
                    remedy="Give each phase its own series, or prepare the phases that there are.",
                    sure=True,
                )
            ]
    return []


def check_enhancement(fits: Mapping[str, MaskFit], *, where: str) -> list[Finding]:
    """Return a remark where nothing enhances between the arterial and the portal venous phase.

    Args:
        fits: Phase to the measurements of its liver, in HU.
        where: The patient.
    """
    if not {"arterial", "portal_venous"} <= fits.keys():
        return []
    one, other = fits["arterial"], fits["portal_venous"]
    change = max(abs(other.center - one.center), abs(other.high - one.high))
    if change >= _MARGIN_HU:
        return []
    return [
        Finding(
            where=where,
            found=f"liver and vessels change by only {change:.0f} HU from the arterial to the "
            "portal venous phase",
            expected="20 to 60 HU by contrast medium",
            remedy="Check that both are contrast phases.",
            sure=False,
        )
    ]

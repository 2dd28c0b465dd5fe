"""What is told of the phases' agreement: overlap of drawn livers, and what registration did."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from mtl_hcc.imaging.prepared_patient import PreparedView
from mtl_hcc.imaging.quality import overlap
from mtl_hcc.imaging.scan import Scan, drawn_overlap
from mtl_hcc.regions import Region

Measured = dict[str, float | str]


def agreement_of_phases(scans: list[Scan], prepared: Mapping[str, PreparedView]) -> Measured:
    """Return the lowest overlap of two drawn livers, and per registered phase what was done.

    A map that serves several phases says nothing about them: it would overlap with itself.

    Args:
        scans: The phases.
        prepared: Name of a view to its arrays.
    """
    lowest = _lowest_overlap([scan for scan in scans if scan.own_map], prepared)
    measured: Measured = {
        "liver_overlap": lowest,
        "liver_overlap_missing": _why_missing(scans) if np.isnan(lowest) else "",
        "registered": " ".join(scan.place.phase for scan in scans if scan.registered),
        "registration_refused": "; ".join(
            f"{scan.place.phase} ({scan.alignment.refused})"
            for scan in scans
            if scan.alignment is not None and scan.alignment.refused
        ),
    }
    for scan in scans:
        measured |= _of_registration(scan)
    return measured


def _lowest_overlap(scans: list[Scan], prepared: Mapping[str, PreparedView]) -> float:
    """Return the lowest Dice of two phases' livers; NaN where no two phases have a liver.

    Two livers are compared in the largest field of a view that shows both phases; where no view
    does, as they were drawn.
    """
    largest = sorted(prepared.values(), key=lambda view: -view.geometry.volume_mm3)
    found = []
    for one, other in combinations(scans, 2):
        pair = (one.place.phase, other.place.phase)
        both = next((view for view in largest if {*pair} <= {*view.phases}), None)
        if both is None:
            found.append(drawn_overlap(one, other))
        else:
            livers = [both.regions[both.phases.index(phase)] & Region.LIVER > 0 for phase in pair]
            found.append(overlap(*livers))
    known = [value for value in found if not np.isnan(value)]
    return min(known, default=float("nan"))


def _why_missing(scans: list[Scan]) -> str:
    """Say why no overlap of livers can be measured."""
    if len(scans) == 1:
        return "one phase only"
    if sum(scan.own_map for scan in scans) == 1:
        return "one map serves all phases"
    return "no liver in two maps"


def _of_registration(scan: Scan) -> Measured:
    """Return shift, rotation, and how alike the phases are before and after; nothing without."""
    if scan.alignment is None or scan.alignment.refused:
        return {}
    phase, found = scan.place.phase, scan.alignment
    measured: Measured = {
        f"{phase}_shift_mm": found.shift_mm,
        f"{phase}_rotation_degrees": found.rotation_degrees,
        f"{phase}_similarity_before": found.similarity[0],
        f"{phase}_similarity_after": found.similarity[1],
    }
    if scan.own_map:
        measured[f"{phase}_liver_overlap_before"] = scan.livers[0]
        measured[f"{phase}_liver_overlap_after"] = scan.livers[1]
    return measured

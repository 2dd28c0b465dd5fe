"""What is told of the phases' agreement: overlap of drawn livers, and what registration did."""

from collections.abc import Mapping

import numpy as np

from mtl_hcc.imaging.prepared_patient import PreparedView
from mtl_hcc.imaging.quality import lowest_liver_overlap
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.imaging.view import View

Measured = dict[str, float | str]


def agreement_of_phases(
    scans: list[Scan], recipe: Mapping[str, View], prepared: Mapping[str, PreparedView]
) -> Measured:
    """Return the lowest overlap of two drawn livers, and per registered phase what was done.

    A map that serves several phases says nothing about them: it would overlap with itself.

    Args:
        scans: The phases.
        recipe: Name of a view to its phases.
        prepared: Name of a view to its arrays; livers are compared in the view of most phases.
    """
    name = max(recipe, key=lambda name: len(recipe[name].phases))
    phases, regions = recipe[name].phases, prepared[name].regions
    shown = [scan for scan in scans if scan.place.phase in phases]
    own = [regions[phases.index(scan.place.phase)] for scan in shown if scan.own_map]
    overlap = lowest_liver_overlap(own)
    measured: Measured = {
        "liver_overlap": overlap,
        "liver_overlap_missing": _why_missing(scans) if np.isnan(overlap) else "",
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

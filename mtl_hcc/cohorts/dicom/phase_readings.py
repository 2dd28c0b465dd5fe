"""Decides untold phases: exactly one reading of all volumes may fit times and enhancement."""

from itertools import combinations, product

from mtl_hcc.cohorts.dicom.acquisitions import Acquisition
from mtl_hcc.cohorts.dicom.enhancement import NATIVE, can_be, fits
from mtl_hcc.patient import CT_PHASES

_MOST_UNTOLD = 6


def only_reading(
    acquisitions: list[Acquisition], phases: tuple[str, ...]
) -> dict[Acquisition, str] | None:
    """Return the phase of each acquisition if a single reading fits, else ``None``.

    A reading gives each untold acquisition a phase or *native*; told ones keep theirs. It fits if
    each can show its phase, if the phases follow each other in time, and if every change from an
    untold acquisition to another one is what contrast agent does. Two acquisitions of one phase
    are a reading, too. An acquisition without another to compare it with is not decided: marrow may
    be taken for the aorta of a lone native scan.

    Args:
        acquisitions: All of one study, told and untold.
        phases: The phases wanted, in the order in which they are acquired.
    """
    untold = [each for each in acquisitions if each.told is None]
    if len(acquisitions) < 2 or not 0 < len(untold) <= _MOST_UNTOLD:
        return None
    if not all(map(_is_measured, untold)):
        return None
    names = [NATIVE, *CT_PHASES, *(phase for phase in phases if phase not in CT_PHASES)]
    rank = _ranks(acquisitions)
    possible = [
        [
            name
            for name in names
            if can_be(each.measured, name) and not (each.agent_denied and name != NATIVE)
        ]
        for each in untold
    ]
    found: dict[Acquisition, str] | None = None
    for labels in product(*possible):
        reading = {each: each.told for each in acquisitions if each.told is not None}
        reading.update(zip(untold, labels, strict=True))
        if _fits(reading, names, rank):
            if found is not None:
                return None
            found = reading
    return found


def _is_measured(each: Acquisition) -> bool:
    measured = each.measured
    return measured is not None and measured.aorta is not None and measured.liver is not None


def _ranks(acquisitions: list[Acquisition]) -> dict[Acquisition, float] | None:
    """Return what orders the acquisitions in time, or ``None`` where nothing does."""
    starts = [each.start for each in acquisitions]
    known = [start for start in starts if start is not None]
    if len(set(known)) == len(acquisitions):
        return dict(zip(acquisitions, known, strict=True))
    if not known and len({each.volumes[0].first.series for each in acquisitions}) == 1:
        return {each: float(k) for k, each in enumerate(acquisitions)}  # as they were numbered
    return None


def _fits(
    reading: dict[Acquisition, str], names: list[str], rank: dict[Acquisition, float] | None
) -> bool:
    for pair in combinations(reading, 2):
        if all(each.told is not None for each in pair):
            continue
        before, after = pair
        if rank is not None:
            before, after = sorted(pair, key=lambda each: rank[each])
        phases = reading[before], reading[after]
        if any(phase not in names for phase in phases):
            return False
        if names.index(phases[0]) > names.index(phases[1]):
            if rank is not None:
                return False
            before, after, phases = after, before, phases[::-1]
        if before.measured is None or after.measured is None:
            return False
        seconds = None
        if rank is not None and before.start is not None and after.start is not None:
            seconds = after.start - before.start
        either = phases[0] == phases[1] and rank is None
        if not fits(before.measured, after.measured, phases, seconds) and not (
            either and fits(after.measured, before.measured, phases, seconds)
        ):
            return False
    return True

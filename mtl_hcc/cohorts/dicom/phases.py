"""Which volume shows which phase: what the headers tell has to agree with what is measured."""

from collections.abc import Callable

from mtl_hcc.cohorts.dicom.acquisitions import Acquisition, group_acquisitions
from mtl_hcc.cohorts.dicom.enhancement import Enhancement, can_be, can_precede
from mtl_hcc.cohorts.dicom.phase_messages import Sorting
from mtl_hcc.cohorts.dicom.phase_readings import only_reading
from mtl_hcc.cohorts.dicom.phase_rules import PhaseRules, told_phase
from mtl_hcc.cohorts.dicom.volumes import Volume

Measure = Callable[[list[Volume]], dict[str, Enhancement]]
"""Volumes to what is measured in them, by name."""
_SAME_SPACING = 0.05
"""Slice distances that differ by a smaller share are the same."""


def assign_phases(
    volumes: list[Volume],
    rules: PhaseRules,
    *,
    patient_id: str,
    drawn_on: Volume | None = None,
    measure: Measure | None = None,
) -> dict[str, Volume]:
    """Find the volume of each phase.

    A phase is told by ``rules.chosen``, by the scanner, by the description where exactly one rule
    matches and the series holds one volume, or by the seconds after the injection. Enhancement has
    to agree. What nothing tells is decided only if a single reading of all volumes fits both the
    times between them and the enhancement of aorta and liver; order alone decides nothing.
    Non-axial volumes, very small ones, and those that do not show the liver are passed over.

    Args:
        volumes: All volumes of one study.
        rules: How they are told apart.
        patient_id: For messages and ``rules.chosen``.
        drawn_on: The volume that the segmentation was drawn on; it is preferred where several
            volumes show one phase.
        measure: Measures enhancement; without it, untold phases stay untold.

    Returns:
        Phase to volume; a phase that was not acquired is absent.

    Raises:
        ImageError: Nothing tells some volumes apart, or what tells them contradicts what was
            measured. The message lists the candidates.
    """
    sorting = Sorting(patient_id)
    candidates = _candidates(volumes, rules, sorting)
    sorting.measured = measure(candidates) if measure is not None else {}
    unseen = [
        v
        for v in candidates
        if v.name in sorting.measured and not sorting.measured[v.name].shows_liver
    ]
    for volume in unseen:
        sorting.passed_over[volume.name] = str(sorting.measured[volume.name])
    candidates = [v for v in candidates if v not in unseen]
    acquisitions = group_acquisitions(candidates, sorting.told, sorting.measured)
    _check_measured(acquisitions, candidates, rules, sorting)
    labels = _decide(acquisitions, candidates, rules, sorting, drawn_on)
    found: dict[str, Volume] = {}
    for phase in rules.phases:
        same = [v for each, label in labels.items() if label == phase for v in each.volumes]
        if same:
            found[phase] = _one(same, phase, rules, sorting, drawn_on)
    lost = [v for v in unseen if sorting.told.get(v.name, "") in set(rules.phases) - set(found)]
    if lost:
        raise sorting.refuse("the liver is not where it was drawn in", lost, [*candidates, *lost])
    if not found:
        raise sorting.nothing(volumes, rules.phases)
    _check_order(found, candidates, rules, sorting)
    return found


def _candidates(volumes: list[Volume], rules: PhaseRules, sorting: Sorting) -> list[Volume]:
    """Return the volumes that may show a phase, and note what they tell."""
    candidates = []
    for volume in volumes:
        first = volume.first
        if f"{sorting.patient_id}/{volume.name}" not in rules.chosen:
            if not volume.axial or "LOCALIZER" in first.image_type:
                sorting.passed_over[volume.name] = "not axial" if not volume.axial else "localizer"
                continue
            if volume.places < rules.smallest:
                sorting.passed_over[volume.name] = f"{volume.places} slices"
                continue
        candidates.append(volume)
    for volume in list(candidates):
        chosen = rules.chosen.get(f"{sorting.patient_id}/{volume.name}")
        alone = sum(v.first.series == volume.first.series for v in candidates) == 1
        phase = told_phase(volume, rules, chosen=chosen, alone=alone)
        if phase is not None:
            sorting.told[volume.name] = phase
        if phase is not None and phase not in rules.phases:
            text = volume.first.description or "no description"
            sorting.passed_over[volume.name] = f"{text}: {phase}"
    return [v for v in candidates if v.name not in sorting.passed_over]


def _check_measured(
    acquisitions: list[Acquisition], candidates: list[Volume], rules: PhaseRules, sorting: Sorting
) -> None:
    """Refuse what headers tell where measured values exclude it; a choice by hand stands."""
    for each in acquisitions:
        by_hand = any(f"{sorting.patient_id}/{v.name}" in rules.chosen for v in each.volumes)
        if each.told is not None and not by_hand and not can_be(each.measured, each.told):
            raise sorting.refuse(
                f"enhancement contradicts {each.told} in", list(each.volumes), candidates
            )


def _decide(
    acquisitions: list[Acquisition],
    candidates: list[Volume],
    rules: PhaseRules,
    sorting: Sorting,
    drawn_on: Volume | None,
) -> dict[Acquisition, str]:
    """Return the phase of each acquisition that is used."""
    told = {each: each.told for each in acquisitions if each.told is not None}
    untold = [each for each in acquisitions if each.told is None]
    if not untold:
        return told
    read = only_reading(acquisitions, rules.phases)
    if read is not None:
        for each in untold:
            for volume in each.volumes:
                sorting.told[volume.name] = f"{read[each]} as measured"
        return read
    drawn = next((each for each in untold if drawn_on in each.volumes), None)
    if rules.segmented is not None and drawn is not None:
        if not can_be(drawn.measured, rules.segmented):
            raise sorting.refuse(
                f"enhancement contradicts {rules.segmented} in", list(drawn.volumes), candidates
            )
        return {**told, drawn: rules.segmented}
    if told and set(told.values()) == set(rules.phases):
        return told  # whatever else there is, each phase has its volume
    only = len(rules.phases) == 1 and len(acquisitions) == 1
    if only and can_be(untold[0].measured, rules.phases[0]):
        return {untold[0]: rules.phases[0]}
    raise sorting.refuse(
        "nothing tells the phase of",
        [volume for each in untold for volume in each.volumes],
        candidates,
        expected="descriptions or injection times, or enhancement and times that allow one "
        "reading only",
    )


def _one(
    same: list[Volume], phase: str, rules: PhaseRules, sorting: Sorting, drawn_on: Volume | None
) -> Volume:
    """Return the reconstruction that is used of one phase."""
    if len(same) == 1:
        return same[0]
    if drawn_on is not None and drawn_on in same:
        return drawn_on
    spacings = [v.spacing_mm for v in same]
    if rules.several != "quarantine":
        wanted = min(spacings) if rules.several == "thinnest" else max(spacings)
        best = [v for v in same if abs(v.spacing_mm - wanted) <= _SAME_SPACING * wanted]
        if len(best) == 1:
            return best[0]
    raise sorting.refuse(f"{len(same)} volumes show {phase}:", same, same)


def _check_order(
    found: dict[str, Volume], candidates: list[Volume], rules: PhaseRules, sorting: Sorting
) -> None:
    """Refuse phases whose names contradict their times, or the change of enhancement."""
    days = [(v.seconds or 0.0) // 86400 for v in found.values()]
    times = [v.seconds for v in found.values() if v.seconds is not None]
    if len(set(days)) == 1 and times != sorted(times):
        raise sorting.refuse(
            "phases do not follow each other in time:", list(found.values()), candidates
        )
    by_hand = [f"{sorting.patient_id}/{v.name}" in rules.chosen for v in found.values()]
    names = list(found)
    for k, later in enumerate(names):
        for i, earlier in enumerate(names[:k]):
            if by_hand[i] and by_hand[k]:
                continue
            pair = [found[earlier], found[later]]
            values = [sorting.measured.get(v.name) for v in pair]
            if not can_precede(values[0], values[1], (earlier, later)):
                raise sorting.refuse(
                    f"enhancement contradicts {earlier} before {later} in", pair, candidates
                )

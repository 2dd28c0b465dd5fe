"""Which volume shows which phase: by what the series is called, else by when it was acquired."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.errors import ImageError
from mtl_hcc.patient import CT_PHASES

PHASE_RULES: dict[str, str] = {
    "ignore": r"scout|topogram|locali[sz]er|\bmip\b|\bbone\b|\blungs?\b|dose|smart ?prep|monitor"
    r"|track|non.?con|without|\bw/?o\b|nativ|pre.?contrast|unenhanced|subtract",
    "arterial": r"arter|\bart\b|\be?l?ap\b|\bhap\b",
    "portal_venous": r"portal|\bpvp?\b|venous|\bven\b",
    "delayed": r"delay|\bdel\b|equilib|\beq\b|late (?!art)|\d ?min",
}
"""Phase to a regular expression that is searched in SeriesDescription, whatever the case."""

PHASE_SECONDS: dict[str, list[float]] = {
    "arterial": [12.0, 50.0],
    "portal_venous": [50.0, 120.0],
    "delayed": [120.0, 900.0],
}
"""Phase to the seconds after the start of the injection, from and below."""


@dataclass(frozen=True)
class PhaseRules:
    """How volumes are told apart.

    Attributes:
        phases: The phases wanted, in the order in which they are acquired.
        descriptions: Phase (or ``ignore``) to a regular expression for SeriesDescription.
        seconds: Phase to a range of seconds after the start of the injection.
        chosen: ``<patient_id>/<volume name>`` to its phase (or ``ignore``): overrules the rest.
        smallest: Volumes with fewer slices are passed over (localizers, bolus tracking).
        segmented: Phase of the volume that a segmentation was drawn on when nothing tells it.
        several: What to do when several volumes show one phase and the segmentation was drawn
            on none of them.
    """

    phases: tuple[str, ...] = CT_PHASES
    descriptions: Mapping[str, str] = field(default_factory=lambda: dict(PHASE_RULES))
    seconds: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(PHASE_SECONDS))
    chosen: Mapping[str, str] = field(default_factory=dict)
    smallest: int = 3
    segmented: str | None = None
    several: str = "quarantine"


def assign_phases(
    volumes: list[Volume], rules: PhaseRules, *, patient_id: str, drawn_on: Volume | None = None
) -> dict[str, Volume]:
    """Find the volume of each phase.

    In this order: ``rules.chosen``; the description, where exactly one rule matches and the
    series holds one volume; seconds after the injection; and where as many volumes are left as
    phases, the order of acquisition. Non-axial volumes and very small ones are passed over.

    Args:
        volumes: All volumes of one study.
        rules: How they are told apart.
        patient_id: For messages and ``rules.chosen``.
        drawn_on: The volume that the segmentation was drawn on; it is preferred where several
            volumes show one phase.

    Returns:
        Phase to volume; a phase that was not acquired is absent.

    Raises:
        ImageError: Nothing tells some volumes apart. The message lists the candidates.
    """
    candidates = [v for v in volumes if _considered(v, rules, patient_id)]
    known: dict[str, str] = {}
    for volume in candidates:
        phase = _told(volume, rules, patient_id, _series_size(volume, candidates))
        if phase is not None:
            known[volume.name] = phase
    ignored = {name for name, phase in known.items() if phase not in rules.phases}
    candidates = [v for v in candidates if v.name not in ignored]
    unknown = [v for v in candidates if v.name not in known]
    if unknown and not _by_order(unknown, candidates, known, rules):
        if rules.segmented is not None and drawn_on in unknown:
            known[drawn_on.name] = rules.segmented
            candidates = [v for v in candidates if v.name in known]
        elif not known or set(known.values()) != set(rules.phases):
            raise _ambiguous("nothing tells the phase of", unknown, candidates, known, patient_id)
    found: dict[str, Volume] = {}
    for phase in rules.phases:
        same = [v for v in candidates if known.get(v.name) == phase]
        if same:
            found[phase] = _one(same, phase, rules, patient_id, drawn_on)
    if not found:
        raise ImageError(
            f"no volume shows {', '.join(rules.phases)}",
            where=f"patient {patient_id}",
            expected=f"one among {_listed(volumes, known, patient_id) or 'its series'}",
            remedy="Check phase_rules, or name the phases by hand in series_phases.",
        )
    _check_order(found, candidates, known, patient_id)
    return found


def _considered(volume: Volume, rules: PhaseRules, patient_id: str) -> bool:
    if f"{patient_id}/{volume.name}" in rules.chosen:
        return True
    localizer = "LOCALIZER" in volume.first.image_type
    return volume.axial and not localizer and volume.places >= rules.smallest


def _series_size(volume: Volume, candidates: list[Volume]) -> int:
    return sum(v.first.series == volume.first.series for v in candidates)


def _told(volume: Volume, rules: PhaseRules, patient_id: str, in_series: int) -> str | None:
    """Return the phase that the choice, the description or the injection tells, if any."""
    chosen = rules.chosen.get(f"{patient_id}/{volume.name}")
    if chosen is not None:
        return chosen
    text = volume.first.description
    matching = [
        phase for phase, rule in rules.descriptions.items() if re.search(rule, text, re.IGNORECASE)
    ]
    if "ignore" in matching and len(matching) == 1:
        return "ignore"
    phases = [phase for phase in matching if phase != "ignore"]
    if "ignore" in matching and in_series == 1:
        return "ignore"
    if len(phases) == 1 and in_series == 1:
        return phases[0]
    after = volume.after_bolus
    if after is None:
        return None
    for phase, (start, end) in rules.seconds.items():
        if start <= after < end:
            return phase
    return "ignore" if after < min(start for start, _ in rules.seconds.values()) else None


def _by_order(
    unknown: list[Volume], candidates: list[Volume], known: dict[str, str], rules: PhaseRules
) -> bool:
    """Give the phases that are left to the volumes that are left, in the order of time."""
    left = [phase for phase in rules.phases if phase not in known.values()]
    if len(left) != len(unknown):
        return False
    if len(unknown) > 1 and not _ordered(unknown):
        return False
    if len(rules.phases) > 1 and len(candidates) == 1:
        return False
    for phase, volume in zip(left, sorted(unknown, key=_time), strict=True):
        known[volume.name] = phase
    return True


def _ordered(volumes: list[Volume]) -> bool:
    """Tell whether their times differ; volumes of one series are in order anyway."""
    if len({v.first.series for v in volumes}) == 1:
        return True
    return len({v.seconds for v in volumes} - {None}) == len(volumes)


def _time(volume: Volume) -> tuple[float, int, int]:
    first = volume.first
    return (volume.seconds or 0.0, first.acquisition_number or 0, first.instance_number or 0)


def _one(
    same: list[Volume], phase: str, rules: PhaseRules, patient_id: str, drawn_on: Volume | None
) -> Volume:
    if len(same) == 1:
        return same[0]
    if drawn_on in same:
        return drawn_on
    if rules.several == "thinnest":
        return max(same, key=lambda v: v.places)
    if rules.several == "thickest":
        return min(same, key=lambda v: v.places)
    names = {v.name: phase for v in same}
    raise _ambiguous(f"{len(same)} volumes show {phase}:", same, same, names, patient_id)


def _check_order(
    found: dict[str, Volume], candidates: list[Volume], known: dict[str, str], patient_id: str
) -> None:
    """Refuse phases whose names contradict their times."""
    days = [(v.seconds or 0.0) // 86400 for v in found.values()]
    times = [v.seconds for v in found.values() if v.seconds is not None]
    if len(set(days)) == 1 and times != sorted(times):
        raise _ambiguous(
            "phases do not follow each other in time:",
            list(found.values()),
            candidates,
            known,
            patient_id,
        )


def _ambiguous(
    found: str,
    volumes: list[Volume],
    candidates: list[Volume],
    known: Mapping[str, str],
    patient_id: str,
) -> ImageError:
    names = ", ".join(v.name for v in volumes)
    example = f'"{patient_id}/{volumes[0].name}": portal_venous'
    return ImageError(
        f"{found} series {names}; candidates are {_listed(candidates, known, patient_id)}",
        where=f"patient {patient_id}",
        expected="one volume per phase",
        remedy=f"Say which it is in the config, series_phases: {{{example}}} (a phase or ignore), "
        "or extend phase_rules.",
    )


def _listed(volumes: list[Volume], known: Mapping[str, str], patient_id: str) -> str:
    """List candidates without names or dates: times count from the first of them."""
    start = min((v.seconds for v in volumes if v.seconds is not None), default=0.0)
    texts = []
    for volume in volumes:
        time = "no time" if volume.seconds is None else f"+{volume.seconds - start:.0f} s"
        phase = known.get(volume.name, "unknown")
        texts.append(
            f'"{patient_id}/{volume.name}" ({volume.first.description or "no description"}, '
            f"{len(volume.slices)} slices, {time}, {phase})"
        )
    return "; ".join(texts)

"""What a header alone tells about the phase: the scanner's own word, the description, the bolus."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.patient import CT_PHASES

PHASE_RULES: dict[str, str] = {
    # "w/o and w", "with and without" describe several phases; iDose is a reconstruction
    "ignore": r"scout|topogram|surview|locali[sz]er|\bm(?:in)?ip\b|\bbone\b|\blungs?\b(?!.{0,3}bas)"
    r"|\bdose.{0,3}(?:report|info|record|summary|sheet|page)|^\W*dose\W*$|smart ?prep|monitor"
    r"|\btrack|subtract|non.?con|non.?enh|\bnativ|pre.?contrast|unenhanced|平扫"
    r"|(?<!with and )(?<!with & )(?<!with/)without(?!.{0,5}\bwith\b)"
    r"|(?<!\bw[/&+ ])(?<!\bwith and )(?<!\bw and )\bw/?o\b(?!.{0,5}\bw(?:ith)?\b)",
    "arterial": r"arter|\bart\b|\b(?:e|l|el)ap\b|\bhap\b|\bap phase\b|动脉",
    "portal_venous": r"portal|\bpvp?\b|venous|\bven\b|\bvenos|门脉|门静脉|静脉期",
    "delayed": r"delay|\bdel\b|equilib|\beq\b|late (?!art|port|ven)|\btardi|\bspat"
    r"|\d ?min(?:utes?)?\b|延迟|平衡期",
}
"""Phase to a regular expression that is searched in SeriesDescription, whatever the case.

It is searched as written, and without accents and underscores. ``AP`` alone is abdomen and pelvis
more often than arterial phase; ``EAP`` and ``LAP`` are early and late arterial phase.
"""

PHASE_SECONDS: dict[str, list[float]] = {
    "arterial": [12.0, 50.0],
    "portal_venous": [50.0, 120.0],
    "delayed": [120.0, 900.0],
}
"""Phase to the seconds after the start of the injection, from and below."""
_NO_AGENT = re.compile(r"\W*(?:no|none|without|nil|n/?a|not applied)\W*", re.IGNORECASE)


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
            on none of them: refuse, or take the one with the closest or the widest slices.
    """

    phases: tuple[str, ...] = CT_PHASES
    descriptions: Mapping[str, str] = field(default_factory=lambda: dict(PHASE_RULES))
    seconds: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(PHASE_SECONDS))
    chosen: Mapping[str, str] = field(default_factory=dict)
    smallest: int = 3
    segmented: str | None = None
    several: str = "quarantine"


def told_phase(volume: Volume, rules: PhaseRules, *, chosen: str | None, alone: bool) -> str | None:
    """Return the phase (or ``ignore``) that choice, scanner, description or injection tell, if any.

    Args:
        volume: One volume.
        rules: How volumes are told apart.
        chosen: What the config says of it.
        alone: Whether its series holds no other volume; a description speaks for one only.
    """
    if chosen is not None:
        return chosen
    scanner = _matching(volume.first.contrast_phase, rules)
    described = _matching(volume.first.description, rules)
    if len(scanner) == 1:
        phase = scanner.pop()
        if not alone or not described - {"ignore"} or phase in described:
            return phase
        return None  # scanner and description contradict each other
    if described == {"ignore"} or ("ignore" in described and alone):
        return "ignore"
    phases = described - {"ignore"}
    if len(phases) == 1 and alone:
        return phases.pop()
    return _by_injection(volume, rules)


def agent_denied(volume: Volume) -> bool:
    """Tell whether the header says in so many words that no contrast agent was given."""
    return bool(_NO_AGENT.fullmatch(volume.first.agent))


def _matching(text: str, rules: PhaseRules) -> set[str]:
    if not text:
        return set()
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    texts = (text, plain.replace("_", " "))
    return {
        phase
        for phase, rule in rules.descriptions.items()
        if any(re.search(rule, each, re.IGNORECASE) for each in texts)
    }


def _by_injection(volume: Volume, rules: PhaseRules) -> str | None:
    after = volume.after_bolus
    if after is None or agent_denied(volume):
        return None
    for phase, (start, end) in rules.seconds.items():
        if start <= after < end:
            return phase
    return "ignore" if after < min(start for start, _ in rules.seconds.values()) else None

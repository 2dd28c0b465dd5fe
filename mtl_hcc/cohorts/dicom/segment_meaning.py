"""What each segment of a DICOM SEG is: by the user's rules, its coded type, then its label.

A code is meant for machines, so it comes first; but it must agree with the label. What neither
tells for certain is ``unclear``: such a segment is named to the user, never guessed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtl_hcc.cohorts.dicom.segment_words import Meaning, narrows, read_name, words_of

REGIONS = ("liver", "tumor", "loat")
RULES = (*REGIONS, "ignore")
"""What a user's rule can say of a segment."""
SAY_WHAT_THEY_ARE = (
    "Say what they are by their names, e.g. segment_rules: {tumor: 'nodule', liver: '^organ 1$', "
    "ignore: 'box'}."
)
_MEANT = {"other": "another structure", "unclear": "not clear"}
_LISTED = 12

_CODES: dict[str, Meaning] = {
    "10200004": "liver",
    "108369006": "tumor",  # neoplasm
    "86049000": "tumor",  # neoplasm, primary
    "4147007": "tumor",  # mass
    "52988006": "tumor",  # lesion
    "1187425009": "tumor",  # carcinoma
    "68453008": "tumor",  # carcinoma, no subtype
    "25370001": "tumor",  # hepatocellular carcinoma, the morphology
    "109841003": "tumor",  # liver cell carcinoma, the disorder
    "126851005": "tumor",  # neoplasm of liver
    "93870000": "tumor",  # malignant neoplasm of liver
    "95214007": "tumor",  # primary malignant neoplasm of liver
    "300331000": "tumor",  # lesion of liver
    "228791009": "tumor",  # gross tumor volume
    "85756007": "nothing",  # tissue
    "113343008": "nothing",  # body organ
    "91723000": "nothing",  # anatomical structure
    "123037004": "nothing",  # body structure
    "49755003": "nothing",  # morphologically abnormal structure
    "55603005": "nothing",  # adipose tissue
    "256674009": "nothing",  # fat
}
"""SNOMED CT codes. Of all others the meaning is read: there are too many vessels and organs."""
_WHERE_LIVERS_ARE = frozenset({"abdomen", "trunk", "body"})


@dataclass(frozen=True)
class Segment:
    """One segment and what it is.

    Attributes:
        number: Its number in the file.
        name: Label and coded type, for messages.
        meaning: A region, ``other`` for another structure, or ``unclear``.
    """

    number: int
    name: str
    meaning: Meaning


def read_segments(data: Any, rules: Mapping[str, str]) -> list[Segment]:
    """Return what the segments of a SEG are.

    Args:
        data: The data set.
        rules: Region (or ``ignore``) to a regular expression for label, description or coded
            type, whatever the case. The first that matches overrules everything else.
    """
    segments = [
        Segment(int(item.SegmentNumber), _name(item), _meaning(item, rules))
        for item in data.SegmentSequence
    ]
    with_tumor = any(segment.meaning == "tumor" for segment in segments)
    part: Meaning = "tumor" if with_tumor else "unclear"
    return [
        Segment(segment.number, segment.name, part) if segment.meaning == "tumor part" else segment
        for segment in segments
    ]


def listed(segments: Iterable[Segment]) -> str:
    """Return segments with what they are, for messages."""
    texts = [f"{each.name} ({_MEANT.get(each.meaning, each.meaning)})" for each in segments]
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return (", ".join(texts[:_LISTED]) or "none") + more


def _meaning(item: Any, rules: Mapping[str, str]) -> Meaning:
    label, description = str(item.get("SegmentLabel", "")), str(item.get("SegmentDescription", ""))
    codes = [str(code.get("CodeMeaning", "")) for code in _codes(item, "SegmentedPropertyType")]
    for region, rule in rules.items():
        if any(re.search(rule, text, re.IGNORECASE) for text in (label, description, *codes)):
            return "other" if region == "ignore" else _region(region)
    coded, named = _read_codes(item), read_name(label)
    if named == "nothing":
        label, named = description, read_name(description)
    meaning = named if coded == "nothing" else _agreed(coded, named, label)
    if meaning == "tumor" and _lies_elsewhere(item):
        return "unclear"
    return "unclear" if meaning == "nothing" else meaning


def _region(name: str) -> Meaning:
    known: dict[str, Meaning] = {"liver": "liver", "tumor": "tumor", "loat": "loat"}
    return known[name]


def _agreed(coded: Meaning, named: Meaning, label: str) -> Meaning:
    """Return what a code says, unless the label says something else."""
    if coded == "unclear" or named in ("nothing", coded):
        return coded
    if {coded, named} == {"tumor", "tumor part"}:
        return "tumor"
    if named != "unclear" or coded == "tumor part":
        return "unclear"
    return "unclear" if coded in REGIONS and narrows(label, coded) else coded


def _read_codes(item: Any) -> Meaning:
    """Return what the coded type says; modifiers (left, right) are read like words."""
    said: Meaning = "nothing"
    for code in _codes(item, "SegmentedPropertyType"):
        known = _CODES.get(_snomed(code))
        said = known or read_name(str(code.get("CodeMeaning", "")))
        modifiers = _codes(code, "SegmentedPropertyTypeModifier")
        modifiers += _codes(item, "SegmentedPropertyTypeModifier")
        if any(narrows(str(m.get("CodeMeaning", "")), said) for m in modifiers):
            return "unclear"
    return said


def _codes(item: Any, name: str) -> list[Any]:
    return list(item.get(f"{name}CodeSequence") or [])


def _snomed(code: Any) -> str:
    """Return a SNOMED CT code; the older SNOMED-RT ones (``T-62000``) are translated."""
    from pydicom.sr.coding import Code

    scheme = str(code.get("CodingSchemeDesignator", ""))
    value = str(code.get("CodeValue", "")).strip()
    if scheme == "SCT":
        return value
    old = Code(value, "SRT" if scheme in ("SNM3", "99SDM") else scheme, "")
    return next((known for known in _CODES if old == Code(known, "SCT", "")), "")


def _lies_elsewhere(item: Any) -> bool:
    """Tell whether the coded anatomic region is another organ: a mass in a kidney."""
    meanings = [str(code.get("CodeMeaning", "")) for code in item.get("AnatomicRegionSequence", [])]
    return any(
        read_name(meaning) == "other" and not _WHERE_LIVERS_ARE & set(words_of(meaning))
        for meaning in meanings
    )


def _name(item: Any) -> str:
    label = str(item.get("SegmentLabel", "")).strip() or f"segment {item.SegmentNumber}"
    codes = [
        str(code.get("CodeMeaning", ""))
        for code in _codes(item, "SegmentedPropertyType")
        if _CODES.get(_snomed(code)) != "nothing"
    ]
    told = [code for code in codes if code and code.casefold() != label.casefold()]
    return f"{label} (coded {', '.join(told)})" if told else label

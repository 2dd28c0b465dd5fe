"""Codes, labels and the user's rules against each other."""

import pydicom
import pytest
from drawn_segments import HEPATIC_VEIN, LIVER, MASS, PORTAL_VEIN, TISSUE, describe

from mtl_hcc.cohorts.dicom.segment_meaning import listed, read_segments

GENERIC_ORGAN = ("113343008", "SCT", "Organ")
NECROSIS = ("6574001", "SCT", "Necrosis")
SECONDARY = ("14799000", "SCT", "Neoplasm, Secondary")
OLD_LIVER = ("T-62000", "SRT", "Liver")
OLD_NEOPLASM = ("M-80003", "SRT", "Neoplasm, Primary")
PRIVATE = ("L1", "99UNI", "Foie")
KIDNEY = ("64033007", "SCT", "Kidney")
ABDOMEN = ("818983003", "SCT", "Abdomen")


def read(*pairs, rules=None, **arguments):
    data = pydicom.Dataset()
    data.SegmentSequence = [describe(k, *pair, **arguments) for k, pair in enumerate(pairs, 1)]
    return read_segments(data, rules or {})


def meaning(label, code=TISSUE, **arguments):
    (segment,) = read((label, code), **arguments)
    return segment.meaning


@pytest.mark.parametrize(
    ("label", "code", "expected"),
    [
        ("Segment_1", LIVER, "liver"),
        ("JS final", LIVER, "liver"),
        ("Leber", LIVER, "liver"),
        ("Organ 1", OLD_LIVER, "liver"),
        ("Segment_2", PRIVATE, "liver"),
        ("Non-tumor liver", LIVER, "liver"),
        ("Segment_2", MASS, "tumor"),
        ("Nodule 3", OLD_NEOPLASM, "tumor"),
        ("HCC segment VI", MASS, "tumor"),
        ("Liver veins", HEPATIC_VEIN, "other"),
        ("HV", HEPATIC_VEIN, "other"),
        ("anything", PORTAL_VEIN, "other"),
        ("Leber", GENERIC_ORGAN, "liver"),
        ("Leber", TISSUE, "liver"),
    ],
)
def test_the_code_comes_first_then_the_label(label, code, expected):
    assert meaning(label, code) == expected


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("Tumor", LIVER),
        ("Liver", MASS),
        ("Liver", HEPATIC_VEIN),
        ("Portal vein", LIVER),
        ("Couinaud IV", LIVER),
        ("FLR", LIVER),
        ("peritumoral", MASS),
        ("Tumor thrombus", MASS),
        ("Tumor", SECONDARY),
        ("Nodule 1", TISSUE),
    ],
)
def test_code_and_label_that_contradict_each_other_are_unclear(label, code):
    assert meaning(label, code) == "unclear"


def test_a_mass_of_another_organ_is_no_tumor_of_the_liver():
    def in_region(code):
        return meaning("Mass", MASS, anatomic_regions=[pydicom.sr.coding.Code(*_order(code))])

    assert in_region(KIDNEY) == "unclear"
    assert in_region(LIVER) == "tumor"
    assert in_region(ABDOMEN) == "tumor"


def _order(code):
    return code[0], code[1], code[2]


def test_necrosis_belongs_to_a_tumor_that_is_drawn_and_stands_for_none():
    assert [s.meaning for s in read(("Tumor", TISSUE), ("Necrosis", NECROSIS))] == ["tumor"] * 2
    assert meaning("Necrosis", NECROSIS) == "unclear"


def test_the_users_rules_overrule_code_and_label():
    assert meaning("Nodule 1", rules={"tumor": "nodule"}) == "tumor"
    assert meaning("Tumor", LIVER, rules={"liver": "^tumor$"}) == "liver"
    assert meaning("Liver", LIVER, rules={"ignore": "liver"}) == "other"
    assert meaning("x", HEPATIC_VEIN, rules={"liver": "hepatic vein"}) == "liver"
    assert meaning("Leber", rules={"tumor": "nodule"}) == "liver"


def test_messages_list_label_code_and_what_was_understood():
    found = read(("Leber", TISSUE), ("Liver", HEPATIC_VEIN), ("Aorta", TISSUE), ("Mass", MASS))
    assert listed(found) == (
        "Leber (liver), Liver (coded Hepatic vein) (not clear), Aorta (another structure), "
        "Mass (tumor)"
    )

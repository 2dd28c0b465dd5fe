"""Several SEG objects of one patient: united where they complement each other, else refused."""

import re
import shutil

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from drawn_segments import HEPATIC_VEIN, boxes, write_segmentation

from mtl_hcc.cohorts.dicom import DicomTree
from mtl_hcc.errors import CohortError, ConfigError

LIVER_BOX = ((1, 5), (5, 30), (5, 25))
TUMOR_BOX = ((2, 4), (8, 14), (8, 12))
OTHER_BOX = ((2, 4), (20, 24), (14, 20))
NAMES = "Liver", "Tumor"


@pytest.fixture
def tree(dicom_cohort):
    """One phase of one patient without segmentations."""
    shutil.rmtree(dicom_cohort / "P2")
    table = dicom_cohort / "patients.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    for folder in ("series_3", "series_4", "series_300", "series_301", "series_302"):
        shutil.rmtree(dicom_cohort / "P1" / folder)
    return dicom_cohort


@pytest.fixture
def draw(tree):
    """Add a SEG of P1: ``draw("a", {"Liver": box, ...})``."""

    def add(folder, segments, **arguments):
        slices = [pydicom.dcmread(p) for p in sorted((tree / "P1" / "series_2").glob("*.dcm"))]
        path = tree / "P1" / folder / "1.dcm"
        masks = boxes(*segments.values())
        return write_segmentation(path, slices, masks, list(segments), **arguments)

    return add


def read(tree, **settings):
    return DicomTree(phases=["arterial"], progress=False, **settings).read(tree)


def labels(cohort):
    path = cohort.patients["P1"].regions["arterial"]
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def refusal(tree, **settings):
    with pytest.raises(CohortError) as error:
        read(tree, **settings)
    return str(error.value)


def sizes(label_map):
    return [int((label_map == value).sum()) for value in (1, 2)]


WHOLE, TUMOR, OTHER = 4 * 25 * 20, 2 * 6 * 4, 2 * 4 * 6


def test_leber_is_the_liver_and_non_tumor_liver_is_no_tumor(tree, draw):
    draw("s", {"Leber": LIVER_BOX, "Tumor": TUMOR_BOX})
    assert sizes(labels(read(tree))) == [WHOLE - TUMOR, TUMOR]
    draw("s", {"Non-tumor liver": LIVER_BOX, "Läsion": TUMOR_BOX})
    assert sizes(labels(read(tree))) == [WHOLE - TUMOR, TUMOR]


def test_liver_veins_coded_as_veins_are_not_the_liver(tree, draw):
    veins = ("Liver veins", HEPATIC_VEIN)
    draw("s", {"Liver": LIVER_BOX, "HCC": TUMOR_BOX, veins: ((0, 6), (31, 35), (0, 40))})
    cohort = read(tree)
    assert sizes(labels(cohort)) == [WHOLE - TUMOR, TUMOR]
    assert cohort.quarantine.empty, "a structure that is understood needs no remark"


@pytest.mark.parametrize(
    ("segments", "missing", "found"),
    [
        ({"Tumor": TUMOR_BOX}, "no liver", "Tumor (tumor)"),
        ({"Tumor": TUMOR_BOX, "Organ X": LIVER_BOX}, "no liver", "Organ X (not clear)"),
        ({"Liver": LIVER_BOX}, "no tumor", "Liver (liver)"),
        ({"Liver": LIVER_BOX, "Nodule 1": TUMOR_BOX}, "no tumor", "Nodule 1 (not clear)"),
        ({"Liver box": LIVER_BOX, "Tumor": TUMOR_BOX}, "no liver", "Liver box (not clear)"),
        ({"Spleen": LIVER_BOX, "Aorta": TUMOR_BOX}, "no liver", "Spleen (another structure), "),
    ],
)
def test_a_map_without_liver_or_tumor_is_refused_with_its_segments(
    tree, draw, segments, missing, found
):
    draw("s", segments)
    text = refusal(tree)
    assert f"{missing} in its segmentation; segments: " in text
    assert found in text
    assert "Say what they are by their names, e.g. segment_rules: {tumor: 'nodule'" in text


def test_the_users_rules_say_what_a_nodule_is(tree, draw):
    draw("s", {"Organ X": LIVER_BOX, "Nodule 1": TUMOR_BOX})
    cohort = read(tree, segment_rules={"tumor": "nodule", "liver": "organ x"})
    assert sizes(labels(cohort)) == [WHOLE - TUMOR, TUMOR]


def test_segments_that_are_not_clear_are_named_and_left_out(tree, draw):
    draw("s", {"Liver": LIVER_BOX, "Tumor": TUMOR_BOX, "Peritumoral": OTHER_BOX})
    for _ in ("converted", "kept from before"):
        cohort = read(tree)
        assert list(cohort.patients) == ["P1"]
        (row,) = cohort.quarantine.query("step == 'dicom'").to_dict("records")
        assert row["patient_id"] == "P1"
        assert row["reason"].startswith(
            "kept: patient P1: segments left out, as their meaning is not clear: Peritumoral"
        )
        assert "segment_rules" in row["reason"]
    assert sizes(labels(cohort)) == [WHOLE - TUMOR, TUMOR]
    assert read(tree, segment_rules={"ignore": "peritumoral"}).quarantine.empty


def test_segmentations_that_complement_each_other_are_united(tree, draw):
    draw("a", {"Liver": LIVER_BOX})
    draw("b", {"Tumor": TUMOR_BOX})
    draw("c", {"Tumor": OTHER_BOX})
    draw("d", {"Aorta": ((0, 6), (0, 3), (0, 3))})
    cohort = read(tree)
    assert sizes(labels(cohort)) == [WHOLE - TUMOR - OTHER, TUMOR + OTHER]
    assert cohort.quarantine.empty


def two_readers(draw):
    shifted = ((2, 4), (9, 15), (8, 12))
    draw(
        "a",
        {"Liver": LIVER_BOX, "Tumor": TUMOR_BOX},
        series_description="Drawn by A",
        content_creator_name="Meyer^Anna",
    )
    draw(
        "b",
        {"Liver": LIVER_BOX, "Tumor": shifted},
        series_description="Drawn by B",
        content_creator_name="Ober^Bert",
    )


def test_two_readers_of_one_phase_are_not_united(tree, draw):
    two_readers(draw)
    text = refusal(tree)
    assert "patient P1, arterial: two segmentations of the tumor: " in text
    for name in ('series 300, "Drawn by A", "CT_SEG", P1/a/1.dcm', '"Drawn by B"', "P1/b/1.dcm"):
        assert name in text
    assert "data.source.reader" in text
    assert "Meyer" not in text
    assert "Ober" not in text


@pytest.mark.parametrize("reader", ["drawn by b", "P1/b/", "Ober"])
def test_a_reader_is_picked_by_description_file_or_author(tree, draw, reader):
    two_readers(draw)
    assert labels(read(tree, reader=reader))[2:4, 14, 8:12].tolist() == [[2] * 4] * 2


def test_a_reader_whom_nobody_is_lists_those_there_are(tree, draw):
    two_readers(draw)
    text = refusal(tree, reader="C$")
    assert "no segmentation is of reader 'C$', only series 300, \"Drawn by A\"" in text
    with pytest.raises(ConfigError, match=re.escape("reader: '(' is no regular expression")):
        read(tree, reader="(")


def test_two_livers_are_two_opinions_wherever_they_lie(tree, draw):
    draw("a", {"Liver": ((0, 2), (5, 30), (5, 25)), "Tumor": TUMOR_BOX})
    draw("b", {"Liver": ((4, 6), (5, 30), (5, 25))})
    assert "two segmentations of the liver" in refusal(tree)


def test_a_copy_of_the_liver_with_another_lesion_is_no_second_opinion(tree, draw):
    draw("a", {"Liver": LIVER_BOX, "Tumor": TUMOR_BOX})
    draw("b", {"Liver": LIVER_BOX, "Tumor": OTHER_BOX})
    assert sizes(labels(read(tree))) == [WHOLE - TUMOR - OTHER, TUMOR + OTHER]


def test_two_readings_in_one_file_are_refused_and_parts_are_not(tree, draw):
    shifted = ((2, 4), (9, 15), (8, 12))
    draw("s", {"Liver": LIVER_BOX, "Tumor": TUMOR_BOX, "Tumor 2": shifted})
    text = refusal(tree)
    assert "two drawings of the tumor: Tumor and Tumor 2 (83% of the smaller one in common)" in text
    assert "segment_rules" in text
    cohort = read(tree, segment_rules={"ignore": "tumor 2"})
    assert sizes(labels(cohort)) == [WHOLE - TUMOR, TUMOR]
    parts = {"Tumor": TUMOR_BOX, "Necrosis": ((2, 4), (9, 11), (9, 11)), "Tumor 2": OTHER_BOX}
    draw("s", {"Liver": LIVER_BOX, "Non-tumor liver": ((1, 5), (15, 30), (5, 25)), **parts})
    assert sizes(labels(read(tree))) == [WHOLE - TUMOR - OTHER, TUMOR + OTHER]


def test_masks_given_by_hand_stand_instead_of_all_segmentations(tree, draw, tmp_path, nifti_cohort):
    two_readers(draw)
    drawn = np.zeros((6, 36, 40), dtype=np.uint8)
    drawn[1:5, 5:30, 5:25], drawn[2, 8, 8:11] = 1, 2
    (tmp_path / "masks" / "P1").mkdir(parents=True)
    mask = sitk.GetImageFromArray(drawn)
    mask.CopyInformation(sitk.ReadImage(str(nifti_cohort / "images/P1/arterial.nii.gz")))
    sitk.WriteImage(mask, str(tmp_path / "masks" / "P1" / "regions.nii.gz"))
    cohort = read(tree, masks=str(tmp_path / "masks"))
    assert cohort.patients["P1"].regions["arterial"].name == "regions.nii.gz"
    np.testing.assert_array_equal(labels(cohort), drawn)


def test_a_segmentation_that_tells_no_phase_beside_one_that_does_is_refused(tree, draw):
    draw("a", {"Liver": LIVER_BOX, "Tumor": TUMOR_BOX})
    untold = draw("b", {"Liver": LIVER_BOX, "Tumor": OTHER_BOX})
    for frame in untold.data.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    del untold.data.ReferencedSeriesSequence
    untold.data.save_as(untold.path)
    text = refusal(tree)
    assert "segmentations of arterial (series 300" in text
    assert "and others drawn on none of the phases (series 300" in text
    assert list(read(tree, reader="P1/a").patients) == ["P1"]

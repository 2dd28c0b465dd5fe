"""What cannot be a patient's liver is set aside with the measurement; correct patients are not."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, to_image
from one_view import one_view
from spoiling import SPOILT, changed, checked, images, images_and_maps, lower, maps, mirrored

from mtl_hcc.cohorts.phantom.phantom_cohort import write_phantom
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.errors import ImageError

REMARK = one_view(plausibility="remark")
MR = one_view(phases=["t1_precontrast"])


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Return phantom patients of three scanners: phase to image and label map."""
    root = tmp_path_factory.mktemp("phantom")
    settings = PhantomSettings(patients={"I": 1, "III": 1, "VI": 1})
    write_phantom(root, settings, workers=1, progress=False)
    return [images_and_maps(folder) for folder in sorted((root / "images").iterdir())]


def test_correct_patients_of_several_scanners_pass_without_a_remark(patients):
    for pairs in patients:
        measured = checked(pairs)
        assert measured["implausible"] == ""
        assert 90 < measured["portal_venous_parenchyma"] < 130
        assert measured["portal_venous_air_or_fat_share"] < 0.05
        assert measured["portal_venous_mask_fit"] > 0.7
        assert measured["tumor_contact"] > 0.3
        assert 10 < measured["rise_to_portal_venous"] < 60


@pytest.mark.parametrize("kind", SPOILT)
def test_what_went_wrong_is_set_aside_with_measurement_file_and_remedy(patients, kind):
    spoil, message = SPOILT[kind]
    for pairs in patients:
        with pytest.raises(ImageError) as caught:
            checked(spoil(pairs))
        assert message in str(caught.value)
        assert "patient P1" in caught.value.where
        assert caught.value.expected
        assert (
            "If it is right as it is, add --data.preparation.plausibility remark"
            in caught.value.remedy
        )


@pytest.mark.parametrize("kind", ["mask 20 mm too low", "8-bit window", "labels exchanged"])
def test_the_setting_turns_it_into_a_remark(patients, kind):
    spoil, message = SPOILT[kind]
    assert message in checked(spoil(patients[0]), REMARK)["implausible"]


def test_a_fatty_and_an_iron_laden_liver_pass(patients):
    def parenchyma_of(hu_of_liver):
        def shift(pairs):
            moved = {}
            for phase, (image, regions) in pairs.items():
                liver = sitk.GetArrayFromImage(regions) == 1
                offset = hu_of_liver[phase] - np.median(sitk.GetArrayFromImage(image)[liver])
                add = offset * (sitk.GetArrayFromImage(regions) > 0)
                moved[phase] = (changed(image, lambda hu, add=add: hu + add), regions)
            return moved

        return shift

    fatty = parenchyma_of({"arterial": -20, "portal_venous": 15, "delayed": 5})
    iron = parenchyma_of({"arterial": 130, "portal_venous": 180, "delayed": 165})
    for change in (fatty, iron):
        checked(change(patients[0]))


def test_a_native_scan_given_for_two_phases_is_remarked_on(patients):
    image, regions = patients[0]["portal_venous"]
    rng = np.random.default_rng(0)
    again = changed(image, lambda hu: (hu + rng.normal(0, 5, hu.shape)).astype(np.int16))
    measured = checked({"arterial": (again, regions), "portal_venous": (image, regions)})
    assert "change by only" in measured["implausible"]


def test_a_patient_turned_left_to_right_as_a_whole_is_remarked_on(patients):
    turned = maps(mirrored)(images(lambda hu: hu[:, :, ::-1])(patients[0]))
    assert "mm to the left of the body's middle" in checked(turned)["implausible"]


def test_a_drawing_10_mm_off_is_at_least_remarked_on(patients):
    off = maps(lambda labels, spacing: lower(labels, spacing, 10))(patients[0])
    assert "does not lie on the liver" in checked(off, REMARK)["implausible"]


def test_a_tumor_without_a_liver_and_a_small_liver_are_remarked_on(patients):
    alone = maps(lambda labels, _: np.where(labels == 2, 2, 0).astype(np.uint8))(patients[0])
    assert "no liver was drawn (label 1)" in checked(alone)["implausible"]
    spacing = (2.0, 2.0, 2.0)
    liver = ball((80, 80, 60), spacing, (80, 80, 60), 40)
    tumor = ball((80, 80, 60), spacing, (80, 80, 60), 12)
    rng = np.random.default_rng(0)
    hu = np.where(liver, 100, -100) + rng.normal(0, 8, liver.shape)
    pair = to_image(hu.astype(np.int16), spacing), to_image(liver.astype(np.uint8) + tumor, spacing)
    measured = checked({"portal_venous": pair})
    assert measured["implausible"] == "a liver of 267 ml"


def test_padding_around_a_round_field_is_no_overflow(patients):
    def padded(hu):
        y, x = np.indices(hu.shape[1:])
        middle = (np.array(hu.shape[1:]) - 1) / 2
        outside = np.hypot(y - middle[0], x - middle[1]) > 1.02 * max(middle)
        return np.where(outside, -3024, hu).astype(np.int16)

    assert checked(images(padded)(patients[0]))["implausible"] == ""


def test_real_scans_pass_and_their_mirrored_and_lowered_drawings_do_not(shared_data):
    folder = shared_data / "images" / "chaos_ct3"
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    regions = sitk.ReadImage(str(folder / "liver.nii.gz"))
    labels = sitk.GetArrayFromImage(regions)
    labels[38:48, 130:150, 100:120][labels[38:48, 130:150, 100:120] == 1] = 2
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(regions)
    pairs = {"portal_venous": (image, drawn)}
    assert (labels == 2).any()
    measured = checked(pairs)
    assert measured["implausible"] == ""
    assert measured["portal_venous_parenchyma"] == pytest.approx(143, abs=2)
    with pytest.raises(ImageError, match="mirrored left-right"):
        checked(maps(mirrored)(pairs))
    with pytest.raises(ImageError, match="20 mm to the head"):
        checked(maps(lower)(pairs))


def test_an_mr_is_checked_without_units_and_refused_as_a_ct(shared_data):
    folder = shared_data / "images" / "totalseg_mr"
    image = sitk.ReadImage(str(folder / "mr.nii.gz"))
    liver = sitk.Cast(sitk.ReadImage(str(folder / "seg.nii.gz")) == 5, sitk.sitkUInt8)
    labels = sitk.GetArrayFromImage(liver)
    z, y, x = np.argwhere(labels).mean(axis=0).astype(int)
    labels[z - 2 : z + 2, y - 3 : y + 3, x - 3 : x + 3] *= 2
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(liver)
    pairs = {"t1_precontrast": (image, drawn)}
    assert "mirrored" not in checked(pairs, MR)["implausible"]
    with pytest.raises(ImageError, match="mirrored left-right"):
        checked(maps(mirrored)(pairs), MR)
    with pytest.raises(ImageError, match="20 mm to the head"):
        checked(maps(lower)(pairs), MR)
    with pytest.raises(ImageError, match=r"no fat and no air.*set preparation.modality: mri"):
        checked({"arterial": pairs["t1_precontrast"]}, one_view(phases=["arterial"]))
    checked({"arterial": pairs["t1_precontrast"]}, one_view(phases=["arterial"], modality="mri"))

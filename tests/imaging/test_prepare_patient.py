import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, in_hu, make_scan, to_image
from one_view import one_view, prepare_only_view, with_view
from scipy.ndimage import binary_erosion

from mtl_hcc.patient import CT_PHASES, Patient
from mtl_hcc.regions import Region

WHOLE = one_view(field_of_view_mm=110)


def volume(prepared, region, phase=0):
    return np.count_nonzero(prepared.regions[phase] & region) * prepared.geometry.voxel_mm3


def test_volumes_and_measurements_are_those_that_were_drawn(write_patient):
    patient = write_patient()
    prepared = prepare_only_view(patient, WHOLE)
    labels = make_scan()[1]
    assert volume(prepared, Region.TUMOR) == pytest.approx((labels == 2).sum() * 6.75, rel=0.01)
    assert volume(prepared, Region.LIVER) == pytest.approx((labels > 0).sum() * 6.75, rel=0.01)
    assert prepared.quality["tumor_volume_mm3"] == pytest.approx((labels == 2).sum() * 6.75)
    assert prepared.quality["tumor_diameter_mm"] == pytest.approx(30, abs=1.5)
    assert prepared.quality["lesions"] == 1
    assert prepared.quality["tumor_inside_share"] == 1
    # The three files are copies of one map, which says nothing about the phases.
    assert np.isnan(prepared.quality["liver_overlap"])
    assert prepared.quality["liver_overlap_missing"] == "one map serves all phases"


def test_the_tumor_stands_in_the_middle_of_the_field(write_patient):
    prepared = prepare_only_view(write_patient(), one_view(field_of_view_mm=64))
    assert prepared.images.shape == (3, 64, 64, 64)
    z, y, x = np.argwhere(prepared.regions[0] & Region.TUMOR).mean(axis=0)
    assert (x, y, z) == pytest.approx((31.5, 31.5, 31.5), abs=0.5)


def test_regions_nest_as_they_should(write_patient):
    regions = prepare_only_view(write_patient(), WHOLE).regions[0]
    tumor, liver, margin = ((regions & r) > 0 for r in (Region.TUMOR, Region.LIVER, Region.MARGIN))
    assert (tumor & liver).sum() / tumor.sum() > 0.99
    assert 0.3 < (margin & tumor).sum() / margin.sum() < 0.5  # The inner half is smaller.


def test_intensities_lie_between_0_and_1_and_give_hu_again(write_patient):
    patient = write_patient()
    prepared = prepare_only_view(patient, WHOLE)
    hu, labels = make_scan()
    low, high = np.percentile(hu[labels > 0], [2.5, 97.5])
    assert prepared.quality["arterial_clip_low"] == low
    assert prepared.quality["arterial_clip_high"] == high
    assert prepared.quality["arterial_liver_mean"] == pytest.approx(hu[labels > 0].mean())
    image = prepared.images[0]
    assert image.min() == 0
    assert image.max() == 1
    assert not image[prepared.regions[0] == 0].any()
    # Away from the surface, where the liver's neighbors do not mix in.
    inside = binary_erosion((prepared.regions[0] & Region.LIVER) > 0, iterations=4)
    drawn = binary_erosion(labels > 0, iterations=2)
    assert in_hu(image[inside], low, high).mean() == pytest.approx(hu[drawn].mean(), abs=1)


def test_phases_on_different_grids_come_to_one(tmp_path, write_patient):
    patient = write_patient(phases=("arterial",))
    fine = write_patient("fine", phases=("delayed",), size=(120, 94, 90), spacing=(0.8, 0.8, 1.0))
    both = Patient("P1", {**patient.images, **fine.images}, {**patient.regions, **fine.regions})
    prepared = prepare_only_view(both, with_view(WHOLE, phases=["arterial", "delayed"]))
    assert prepared.quality["liver_overlap"] > 0.95
    means = [prepared.images[i][(prepared.regions[i] & 2) > 0].mean(dtype=float) for i in (0, 1)]
    assert means[0] == pytest.approx(means[1], abs=0.05)


def test_any_orientation_gives_the_same_patient(write_patient):
    patient = write_patient(phases=("arterial",))
    preparation = with_view(WHOLE, phases=["arterial"])
    before = prepare_only_view(patient, preparation)
    for path in (patient.images["arterial"], patient.regions["arterial"]):
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "ASR"), str(path))
    after = prepare_only_view(patient, preparation)
    np.testing.assert_array_equal(before.regions, after.regions)
    np.testing.assert_allclose(before.images, after.images, atol=2e-3)


def test_an_oblique_scan_keeps_its_volumes(tmp_path):
    angle = np.radians(15)
    turn = (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    hu, labels = make_scan()
    for name, values in (("a", hu), ("r", labels)):
        image = to_image(values, (1.5, 1.5, 3.0), direction=turn)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    patient = Patient(
        "P1", {"arterial": tmp_path / "a.nii.gz"}, {"arterial": tmp_path / "r.nii.gz"}
    )
    prepared = prepare_only_view(patient, with_view(WHOLE, phases=["arterial"]))
    assert volume(prepared, Region.TUMOR) == pytest.approx((labels == 2).sum() * 6.75, rel=0.01)
    assert volume(prepared, Region.MARGIN) == pytest.approx(
        4 / 3 * np.pi * (17**3 - 13**3), rel=0.05
    )


def test_a_borrowed_map_is_said_so_and_comes_from_the_portal_venous_phase(write_patient):
    patient = write_patient()
    one_map = Patient("P1", patient.images, {"portal_venous": patient.regions["portal_venous"]})
    prepared = prepare_only_view(one_map, WHOLE)
    assert prepared.quality["map_borrowed"] == "arterial delayed"
    np.testing.assert_array_equal(prepared.regions[0], prepared.regions[1])


def test_two_far_lesions_center_the_field_on_the_larger_one(tmp_path, write_patient):
    patient = write_patient(phases=("arterial",))
    labels = np.minimum(make_scan()[1], 1)
    labels[ball((64, 50, 30), (1.5, 1.5, 3), (30, 37, 45), 5)] = 2
    labels[ball((64, 50, 30), (1.5, 1.5, 3), (66, 37, 45), 8)] = 2
    sitk.WriteImage(to_image(labels, (1.5, 1.5, 3.0)), str(patient.regions["arterial"]))
    prepared = prepare_only_view(patient, one_view(phases=["arterial"], field_of_view_mm=32))
    assert prepared.quality["lesions"] == 2
    assert prepared.quality["tumor_diameter_mm"] == pytest.approx(16, abs=2)
    assert 0.7 < prepared.quality["tumor_inside_share"] < 0.9
    low, high = prepared.geometry.box_mm[0]
    assert (low + high) / 2 == pytest.approx(66, abs=1.5)


def test_loat_keeps_its_bit_and_its_volume(write_patient):
    patient = write_patient(phases=("arterial",))
    labels = make_scan()[1]
    labels[12:18, 2:6, 28:40] = np.where(
        labels[12:18, 2:6, 28:40] == 0, 3, labels[12:18, 2:6, 28:40]
    )
    sitk.WriteImage(to_image(labels, (1.5, 1.5, 3.0)), str(patient.regions["arterial"]))
    prepared = prepare_only_view(patient, with_view(WHOLE, phases=["arterial"]))
    drawn = (labels == 3).sum() * 6.75
    assert prepared.quality["loat_volume_mm3"] == drawn
    assert volume(prepared, Region.LOAT) == pytest.approx(drawn, rel=0.03)


def test_the_background_may_stay(write_patient):
    patient = write_patient(phases=("arterial",))
    only_tumor = make_scan()[1]
    only_tumor[only_tumor == 1] = 0
    sitk.WriteImage(to_image(only_tumor, (1.5, 1.5, 3.0)), str(patient.regions["arterial"]))
    removed, kept = (
        prepare_only_view(patient, with_view(WHOLE, phases=["arterial"], keep=kept))
        for kept in ("regions", "everything")
    )
    outside = removed.regions[0] == 0
    assert not removed.images[0][outside].any()
    assert np.count_nonzero(kept.images[0][outside]) > 1000  # Some liver beside the tumor.
    np.testing.assert_array_equal(removed.images[0][~outside], kept.images[0][~outside])


def test_phases_keep_the_order_of_the_recipe(write_patient):
    patient = write_patient()
    forward = prepare_only_view(patient, WHOLE)
    backward = prepare_only_view(patient, with_view(WHOLE, phases=list(CT_PHASES[::-1])))
    np.testing.assert_array_equal(forward.images, backward.images[::-1])

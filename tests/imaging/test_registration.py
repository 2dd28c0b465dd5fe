from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import cube
from moving_liver import MIDDLE, another_phase, drawn_body, motion, real_liver, residual_mm
from one_view import one_view, prepare_only_view

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.registration import align, moved
from mtl_hcc.imaging.resample import sample_image
from mtl_hcc.patient import Patient

RIGID = one_view(
    phases=["arterial", "portal_venous"],
    spacing_mm=2,
    field_of_view_mm=80,
    registration="rigid",
    plausibility="remark",  # without registration the drawn liver is far off
)


def liver_of(labels):
    return sitk.Cast(labels > 0, sitk.sitkUInt8)


@pytest.mark.parametrize(
    ("shift", "degrees"),
    [((0, 0, 12), (0, 0, 0)), ((4, -3, 11), (2, -3, 4)), ((0, 0, 25), (0, 0, 0))],
)
def test_a_liver_that_moved_in_a_trunk_at_rest_is_found_again(shift, degrees):
    fixed, labels = drawn_body()
    true = motion(shift, degrees)
    moving, _ = drawn_body(true, enhancement=0.5, seed=1)
    found = align(moving, fixed, liver_of(labels))
    assert not found.refused
    assert residual_mm(found.transform, true, labels).mean() < 0.5
    assert found.shift_mm == pytest.approx(np.linalg.norm(shift), abs=0.5)
    assert found.rotation_degrees == pytest.approx(np.linalg.norm(degrees), abs=1.5)
    assert found.similarity[1] > 5 * found.similarity[0]


def test_on_a_real_scan_less_than_half_a_millimeter_remains(shared_data):
    image, liver = real_liver(shared_data / "images" / "chaos_ct3")
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(liver)
    true = motion((4, -3, 11), (2, -3, 4), shape.GetCentroid(1))
    moving, _ = another_phase(image, liver, true)
    found = align(moving, image, liver)
    residual = residual_mm(found.transform, true, liver)
    assert residual_mm(sitk.Euler3DTransform(), true, liver).mean() > 11
    assert residual.max() < 0.5
    again = align(moving, image, liver)  # A fixed seed.
    assert again.transform.GetParameters() == pytest.approx(found.transform.GetParameters())


def test_a_liver_that_did_not_move_stays_within_a_fifth_of_a_millimeter():
    fixed, labels = drawn_body()
    found = align(drawn_body(enhancement=0.5, seed=1)[0], fixed, liver_of(labels))
    assert residual_mm(found.transform, motion((0, 0, 0)), labels).max() < 0.2
    same = align(fixed, fixed, liver_of(labels))
    assert same.shift_mm == pytest.approx(0, abs=0.05)
    assert same.similarity[1] >= same.similarity[0]


def test_what_cannot_be_is_not_applied():
    fixed, labels = drawn_body()
    liver = liver_of(labels)
    noise = sitk.GetImageFromArray(np.random.default_rng(7).normal(0, 50, (44, 52, 60)))
    noise.CopyInformation(fixed)
    assert (
        "no place was found where the livers of both phases match"
        in align(noise, fixed, liver).refused
    )
    far = sitk.Image(fixed)
    far.SetOrigin((0, 0, 70))
    assert align(far, fixed, liver).refused
    far.SetOrigin((900, 0, 0))
    found = align(far, fixed, liver)
    assert found.refused == "the two scans lie apart in patient space"
    assert found.transform.GetParameters() == pytest.approx([0.0] * 6)
    turned = motion((0, 0, 0), (0, 0, 30))
    found = align(moved(fixed, turned), fixed, liver)
    assert "turn by" in found.refused or "no place" in found.refused


def test_the_moved_geometry_puts_voxels_where_the_transform_says():
    true = motion((4, -3, 11), (2, -3, 4))
    moving, _ = drawn_body(true)
    grid = cube(tuple(MIDDLE), field_mm=40, spacing_mm=2)
    theirs = sitk.Resample(moving, grid.size, true, sitk.sitkLinear, grid.origin, grid.spacing)
    np.testing.assert_allclose(
        sample_image(moved(moving, true), grid), sitk.GetArrayFromImage(theirs), atol=0.5
    )


@pytest.fixture
def two_phases(tmp_path):
    """Return paths: the arterial liver lies 12 mm lower than the portal venous one."""
    parts = {
        "portal_venous": drawn_body(),
        "arterial": drawn_body(motion((0, 0, -12)), enhancement=0.5, seed=1),
    }
    paths = {}
    for phase, images in parts.items():
        for kind, image in zip((phase, f"{phase}_regions"), images, strict=True):
            paths[kind] = tmp_path / f"{kind}.nii.gz"
            sitk.WriteImage(image, str(paths[kind]))
    return paths


def patient_of(paths, **regions) -> Patient:
    return Patient(
        "P1",
        {phase: paths[phase] for phase in RIGID.phases},
        {phase: paths[name] for phase, name in regions.items()},
    )


ONE_MAP = {
    "of one phase": {"portal_venous": "portal_venous_regions"},
    "for all phases": dict.fromkeys(RIGID.phases, "portal_venous_regions"),
}


@pytest.mark.parametrize("regions", ONE_MAP.values(), ids=ONE_MAP)
def test_one_map_serves_a_phase_that_was_registered_to_the_one_it_was_drawn_on(two_phases, regions):
    patient = patient_of(two_phases, **regions)
    found = prepare_only_view(patient, RIGID).quality
    still = prepare_only_view(patient, replace(RIGID, registration="none")).quality
    assert (still["registered"], found["registered"]) == ("", "arterial")
    assert found["map_borrowed"] == still["map_borrowed"] == "arterial"
    assert found["arterial_shift_mm"] == pytest.approx(12, abs=0.5)
    assert found["arterial_rotation_degrees"] < 3  # The drawn liver is nearly round.
    assert found["arterial_similarity_after"] > 5 * found["arterial_similarity_before"]
    # A map agrees with itself whatever the images show.
    for quality in (found, still):
        assert np.isnan(quality["liver_overlap"])
        assert quality["liver_overlap_missing"] == "one map serves all phases"
    image, labels = drawn_body(motion((0, 0, -12)), enhancement=0.5, seed=1)
    true = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(labels) > 0].mean()
    assert found["arterial_liver_mean"] == pytest.approx(true, abs=2)
    assert still["arterial_liver_mean"] < true - 5


def test_copies_of_one_map_are_one_map(two_phases):
    copy = two_phases["arterial_regions"]
    copy.write_bytes(two_phases["portal_venous_regions"].read_bytes())
    own = {phase: f"{phase}_regions" for phase in RIGID.phases}
    found = prepare_only_view(patient_of(two_phases, **own), RIGID).quality
    assert found["map_borrowed"] == "arterial"
    assert np.isnan(found["liver_overlap"])
    assert found["arterial_shift_mm"] == pytest.approx(12, abs=0.5)


def test_a_map_moves_with_its_phase_and_says_how_well_the_livers_lie(two_phases):
    own = {phase: f"{phase}_regions" for phase in RIGID.phases}
    patient = patient_of(two_phases, **own)
    found = prepare_only_view(patient, RIGID)
    still = prepare_only_view(patient, replace(RIGID, registration="none")).quality
    quality = found.quality
    assert quality["map_borrowed"] == ""
    assert quality["arterial_liver_overlap_before"] == pytest.approx(
        still["liver_overlap"], abs=0.05
    )
    assert quality["arterial_liver_overlap_before"] < 0.8
    assert quality["arterial_liver_overlap_after"] > 0.95
    assert quality["liver_overlap"] > 0.95
    assert quality["liver_overlap_missing"] == ""
    assert quality["registration_refused"] == ""


def test_a_map_for_all_phases_belongs_to_the_phase_whose_grid_it_has(two_phases):
    image = sitk.ReadImage(str(two_phases["portal_venous"]))
    coarse = sitk.BinShrink(image, [1, 1, 2])
    sitk.WriteImage(coarse, str(two_phases["portal_venous"]))
    regions = dict.fromkeys(RIGID.phases, "arterial_regions")
    found = prepare_only_view(patient_of(two_phases, **regions), RIGID).quality
    assert found["registered"] == "portal_venous"
    assert found["map_borrowed"] == "portal_venous"
    assert found["portal_venous_shift_mm"] == pytest.approx(12, abs=0.5)


def test_a_failed_registration_refuses_a_borrowed_map_and_leaves_an_own_one(two_phases):
    noise = np.random.default_rng(7).normal(60, 30, (44, 52, 60)).astype(np.float32)
    scan = sitk.ReadImage(str(two_phases["arterial"]))
    other = sitk.GetImageFromArray(noise)
    other.CopyInformation(scan)
    sitk.WriteImage(other, str(two_phases["arterial"]))
    with pytest.raises(ImageError) as caught:
        prepare_only_view(patient_of(two_phases, **ONE_MAP["of one phase"]), RIGID)
    message = str(caught.value)
    assert "patient P1, arterial" in message
    assert "cannot be registered onto the portal_venous phase (no place was found" in message
    own = {phase: f"{phase}_regions" for phase in RIGID.phases}
    quality = prepare_only_view(patient_of(two_phases, **own), RIGID).quality
    assert quality["registered"] == ""
    assert quality["registration_refused"].startswith("arterial (no place was found")
    assert quality["liver_overlap"] < 0.8  # Nothing was moved.

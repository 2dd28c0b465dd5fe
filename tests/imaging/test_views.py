"""Each setting of a view, by value, on bodies whose geometry is known."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import in_hu, make_scan, to_image
from one_view import one_view, prepare_only_view

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging import scan as scan_module
from mtl_hcc.imaging.intensity import Percentiles, Window
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepare_patient import prepare_patient
from mtl_hcc.imaging.view import View, Zone
from mtl_hcc.patient import Patient
from mtl_hcc.regions import Region

SPACING, SIZE = (1.5, 1.5, 3.0), (64, 50, 30)
LOAT = np.s_[12:18, 2:6, 28:40]
"""A box of 12 x 4 x 6 voxels outside the liver, (z, y, x)."""
ARTERIAL = ["arterial"]
PLAIN = {"phases": ARTERIAL, "spacing_mm": 3.0, "field_of_view_mm": 48.0}


def draw(patient: Patient, labels, spacing=SPACING, phase="arterial", **place) -> None:
    sitk.WriteImage(to_image(labels, spacing, **place), str(patient.regions[phase]))


def with_loat(write_patient, **scan) -> Patient:
    patient, labels = write_patient(phases=("arterial",), **scan), make_scan(**scan)[1]
    labels[LOAT] = 3
    draw(patient, labels)
    return patient


def center(view) -> tuple[float, ...]:
    return tuple((low + high) / 2 for low, high in view.geometry.box_mm)


def test_each_view_has_its_phases_in_its_own_order(write_patient):
    patient = write_patient(phases=("arterial", "delayed"))
    recipe = Preparation(
        views={
            "tumor": View(**{**PLAIN, "phases": ["delayed", "portal_venous", "arterial"]}),
            "late": View(**{**PLAIN, "phases": ["delayed"]}),
        },
        missing_phase="keep",
    )
    views = prepare_patient(patient, recipe).views
    assert list(views) == ["tumor", "late"]
    assert views["tumor"].phases == ("delayed", "portal_venous", "arterial")
    assert views["tumor"].phase_present.tolist() == [True, False, True]
    assert not views["tumor"].images[1].any()
    assert views["late"].images.shape == (1, 16, 16, 16)
    np.testing.assert_array_equal(views["late"].images[0], views["tumor"].images[0])
    np.testing.assert_array_equal(views["late"].regions[0], views["tumor"].regions[0])


def test_a_patient_without_any_phase_of_a_view_is_refused_even_where_phases_may_lack(write_patient):
    views = {"tumor": View(**PLAIN), "late": View(**{**PLAIN, "phases": ["delayed"]})}
    with pytest.raises(ImageError, match=r"patient P001: no phase of the view 'late'.*delayed"):
        prepare_patient(
            write_patient(phases=("arterial",)), Preparation(views=views, missing_phase="keep")
        )


@pytest.mark.parametrize(
    ("center_on", "middle"),
    [
        ("tumor", (48 + 8, 37.5, 45)),
        ("liver", (48, 37.5, 45)),
        ("loat", (33.5 * 1.5, 3.5 * 1.5, 14.5 * 3)),
    ],
)
def test_the_field_is_centered_on_what_was_drawn(write_patient, center_on, middle):
    found = prepare_only_view(with_loat(write_patient), one_view(**PLAIN, center_on=center_on))
    assert center(found) == pytest.approx(middle, abs=0.76)  # half a voxel of the drawing
    assert found.images.any()


def test_a_loat_may_lie_where_no_tumor_is_and_says_how_much_of_it_is_seen(write_patient):
    small = {**PLAIN, "field_of_view_mm": 9.0, "center_on": "loat", "keep": ["loat"]}
    found = prepare_only_view(with_loat(write_patient), one_view(**small))
    assert not (found.regions & Region.TUMOR).any()
    assert found.quality["loat_inside_share"] == pytest.approx(6 * 4 * 3 / (12 * 4 * 6), abs=0.1)
    assert "tumor_inside_share" not in found.quality


@pytest.mark.parametrize("keep", ["regions", "everything", ["loat"]])
def test_a_patient_without_loat_cannot_be_centered_on_it(write_patient, keep):
    with pytest.raises(ImageError, match=r"arterial_regions.*no LOAT voxel \(label 3\).*center_on"):
        prepare_only_view(
            write_patient(phases=("arterial",)), one_view(**PLAIN, center_on="loat", keep=keep)
        )


def test_spacing_and_field_may_differ_between_the_axes(write_patient):
    patient = write_patient(phases=("arterial",))
    view = {**PLAIN, "spacing_mm": [1.0, 2.0, 4.0], "field_of_view_mm": [60.0, 64.0, 72.0]}
    found = prepare_only_view(patient, one_view(**view))
    assert found.images.shape == (1, 18, 32, 60)
    assert found.geometry.spacing == (1.0, 2.0, 4.0)
    edges = [high - low for low, high in found.geometry.box_mm]
    assert edges == pytest.approx([60, 64, 72])
    drawn = np.count_nonzero(make_scan()[1] == 2) * 6.75
    kept = np.count_nonzero(found.regions & Region.TUMOR) * 8
    assert kept == pytest.approx(drawn, rel=0.01)


def steps(seed: int) -> np.ndarray:
    """Return a body every slice of which has one value of its own."""
    values = np.random.default_rng(seed).permutation(SIZE[2]) * 5 + 20
    return np.broadcast_to(values[:, None, None], SIZE[::-1]).astype(np.int16)


ACQUIRED = {
    "phases": ["arterial", "portal_venous"],
    "spacing_mm": [2.0, 2.0, "acquired"],
    "field_of_view_mm": [48.0, 48.0, 50.0],
    "keep": "everything",
    "plausibility": "remark",
}


def test_a_prepared_slice_is_an_acquired_slice_and_other_phases_are_resampled_onto_it(
    write_patient,
):
    patient, bodies = write_patient(phases=ACQUIRED["phases"]), {}
    for seed, phase in enumerate(ACQUIRED["phases"]):
        bodies[phase] = steps(seed)
        origin = (0.0, 0.0, 0.75 if phase == "arterial" else 0.0)
        sitk.WriteImage(to_image(bodies[phase], SPACING, origin), str(patient.images[phase]))
        draw(patient, make_scan(seed=seed)[1], phase=phase, origin=origin)
    found = prepare_only_view(patient, one_view(**ACQUIRED))
    assert found.images.shape == (2, round(50 / 3), 24, 24)
    first = found.geometry.origin[2] / 3
    assert first == pytest.approx(round(first), abs=1e-6)
    assert abs(center(found)[2] - 45) <= 1.5
    planes = np.arange(17) + round(first)
    for number, phase in enumerate(ACQUIRED["phases"]):
        low, high = (found.quality[f"{phase}_clip_{end}"] for end in ("low", "high"))
        values = bodies[phase][:, 0, 0].astype(float)
        if phase == "arterial":  # a quarter of the distance between two slices lower
            values[1:] = 0.25 * values[:-1] + 0.75 * values[1:]
        expected = np.clip(values[planes], low, high)[:, None, None]
        np.testing.assert_allclose(
            in_hu(found.images[number], low, high), expected + 0 * found.images[number], atol=0.15
        )
    assert found.quality["slices_of"] == "portal_venous"
    assert found.quality["slices_interpolated"] == ""


def test_with_acquired_slices_patients_differ_in_depth(write_patient):
    for name, thickness, count in (("fine", 1.0, 90), ("coarse", 5.0, 18)):
        scan = {"size": (64, 50, count), "spacing": (1.5, 1.5, thickness)}
        patient = write_patient(name, phases=("arterial",), **scan)
        view = {**ACQUIRED, "phases": ARTERIAL}
        found = prepare_only_view(patient, one_view(**view))
        assert found.images.shape == (1, round(50 / thickness), 24, 24)
        assert found.geometry.spacing == (2.0, 2.0, thickness)


def test_a_view_without_the_reference_phase_keeps_the_slices_of_its_own(write_patient):
    patient = write_patient(phases=("portal_venous",))
    thick = write_patient("thick", phases=("delayed",), size=(64, 50, 18), spacing=(1.5, 1.5, 5.0))
    both = Patient("P", {**patient.images, **thick.images}, {**patient.regions, **thick.regions})
    views = {
        name: View(
            phases=[name], spacing_mm=[2.0, 2.0, "acquired"], field_of_view_mm=[48.0, 48.0, 60.0]
        )
        for name in ("portal_venous", "delayed")
    }
    prepared = prepare_patient(both, Preparation(views=views))
    assert prepared.views["portal_venous"].images.shape[1] == 20
    assert prepared.views["delayed"].images.shape[1] == 12
    assert prepared.quality["delayed_slices_of"] == "delayed"


def test_slices_of_an_oblique_scan_keep_their_distance_and_are_said_to_be_interpolated(tmp_path):
    angle = np.radians(10)
    turn = (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    for name, values in zip("ar", make_scan(), strict=True):
        image = to_image(values, SPACING, direction=turn)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    patient = Patient("P", {"arterial": tmp_path / "a.nii.gz"}, {"arterial": tmp_path / "r.nii.gz"})
    found = prepare_only_view(patient, one_view(**{**ACQUIRED, "phases": ARTERIAL}))
    assert found.geometry.spacing == (2.0, 2.0, 3.0)
    assert found.quality["slices_interpolated"] == "arterial is tilted by 10.0 degrees"


def test_far_too_many_slices_are_refused_with_the_way_out(write_patient):
    scan = {"size": (64, 50, 300), "spacing": (1.5, 1.5, 0.3)}
    view = {**ACQUIRED, "phases": ARTERIAL, "field_of_view_mm": [48.0, 48.0, 320.0]}
    with pytest.raises(ImageError, match=r"1067 voxels along an edge.*Give spacing_mm a number"):
        prepare_only_view(write_patient(phases=("arterial",), **scan), one_view(**view))


@pytest.mark.parametrize("stored", [50.0, 55.0, 60.0, [60.0, 48.0, 54.0]])
def test_the_middle_of_what_is_stored_is_what_the_network_sees(write_patient, stored):
    patient = write_patient(phases=("arterial",))
    view = {**PLAIN, "keep": "everything"}
    seen = prepare_only_view(patient, one_view(**view))
    larger = prepare_only_view(patient, one_view(**view, stored_field_mm=stored))
    wanted = np.broadcast_to(stored, 3)[::-1] / 3
    more = (np.array(larger.images.shape[1:]) - 16) // 2
    assert (16 + 2 * more == larger.images.shape[1:]).all()
    assert (wanted <= larger.images.shape[1:]).all()
    assert (larger.images.shape[1:] < wanted + 2).all()
    part = (slice(None), *(slice(n, n + 16) for n in more))
    np.testing.assert_allclose(larger.images[part], seen.images, atol=2**-10)
    inner = larger.regions[part]
    np.testing.assert_array_equal(inner & Region.TUMOR, seen.regions & Region.TUMOR)
    # The liver keeps its volume within the field, and fields cut it in different places.
    assert (inner == seen.regions).mean() > 0.99


def test_shares_tell_what_is_seen_and_what_is_stored(write_patient):
    patient = write_patient(phases=("arterial",))
    view = {**PLAIN, "field_of_view_mm": 24.0}
    seen = prepare_only_view(patient, one_view(**view))
    both = prepare_only_view(patient, one_view(**view, stored_field_mm=36.0))
    assert "tumor_prepared_share" not in seen.quality
    assert both.quality["tumor_inside_share"] == seen.quality["tumor_inside_share"] < 0.95
    assert both.quality["tumor_prepared_share"] == 1


def test_what_is_kept_is_what_was_named(write_patient):
    patient = with_loat(write_patient)
    view = {**PLAIN, "field_of_view_mm": 90.0}
    whole = prepare_only_view(patient, one_view(**view, keep="everything"))
    for keep, bits in (
        ("regions", 15),
        (["tumor"], Region.TUMOR),
        (["tumor", "margin"], Region.TUMOR | Region.MARGIN),
        (["loat"], Region.LOAT),
    ):
        found = prepare_only_view(patient, one_view(**view, keep=keep))
        inside = (found.regions & int(bits)) > 0
        assert not found.images[~inside].any()
        np.testing.assert_array_equal(found.images[inside], whole.images[inside])
        np.testing.assert_array_equal(found.regions, whole.regions)


def test_a_view_that_would_be_empty_is_refused(write_patient):
    with pytest.raises(ImageError, match="nothing of loat in the field of view"):
        prepare_only_view(write_patient(phases=("arterial",)), one_view(**PLAIN, keep=["loat"]))


TWO = {
    "whole_liver": View(
        phases=["arterial", "portal_venous"],
        center_on="liver",
        spacing_mm=6.0,
        field_of_view_mm=96.0,
        intensity=Window(low=-100, high=300),
    ),
    "tumor": View(
        phases=["arterial"],
        spacing_mm=3.0,
        field_of_view_mm=48.0,
        intensity=Percentiles(low=1, high=99),
    ),
}


def test_views_scale_intensities_each_in_its_way_and_name_what_is_theirs(write_patient):
    patient = write_patient(phases=("arterial", "portal_venous"))
    quality = prepare_patient(patient, Preparation(views=TWO)).quality
    hu, labels = make_scan()
    assert quality["whole_liver_arterial_clip_low"] == -100
    assert quality["whole_liver_portal_venous_clip_high"] == 300
    assert quality["tumor_arterial_clip_low"] == np.percentile(hu[labels > 0], 1)
    assert quality["tumor_tumor_inside_share"] == quality["whole_liver_liver_inside_share"] == 1
    assert quality["arterial_liver_mean"] == pytest.approx(hu[labels > 0].mean())
    alone = prepare_patient(patient, Preparation(views={"tumor": TWO["tumor"]})).quality
    theirs = {"tumor_inside_share", "arterial_clip_low", "arterial_clip_high"}
    theirs |= {f"arterial_{region}_mm3" for region in ("tumor", "margin", "liver")}
    several = {f"tumor_{name}" if name in theirs else name for name in alone}
    assert several <= {*quality}
    assert {name for name in quality if name.startswith("tumor_tumor")} == {
        "tumor_tumor_inside_share"
    }


def test_every_file_is_read_once_for_all_views(write_patient, monkeypatch):
    patient, read = write_patient(phases=("arterial", "portal_venous")), []
    for name in ("read_image", "read_regions"):
        real = getattr(scan_module, name)
        monkeypatch.setattr(
            scan_module, name, lambda place, real=real: (read.append(place.path), real(place))[1]
        )
    prepare_patient(patient, Preparation(views=TWO))
    assert sorted(read) == sorted([*patient.images.values(), *patient.regions.values()])


def test_livers_are_compared_in_the_largest_view_that_shows_both_else_as_drawn(write_patient):
    patient = write_patient(phases=("arterial", "portal_venous"))
    labels = make_scan()[1]
    labels[labels == 1] *= (np.indices(labels.shape)[0] < 18)[labels == 1]
    draw(patient, labels, phase="portal_venous")
    whole, drawn = np.count_nonzero(make_scan()[1]), np.count_nonzero(labels)
    dice = 2 * drawn / (whole + drawn)
    apart = {name: View(**{**PLAIN, "phases": [name]}) for name in patient.images}
    for views in (TWO, {**apart, **TWO}, apart):
        found = prepare_patient(patient, Preparation(views=views)).quality
        assert found["liver_overlap"] == pytest.approx(dice, abs=0.01)


def test_zones_have_the_names_and_reaches_of_the_recipe(write_patient):
    zones = {
        "margin": Zone(inward_mm=2, outward_mm=2),
        "shell": Zone(outward_mm=10, cut_at_liver=True),
        "core": Zone(inward_mm=5),
    }
    view = View(phases=ARTERIAL, spacing_mm=1.5, field_of_view_mm=81.0)
    recipe = Preparation(views={"tumor": view}, zones=zones)
    regions = prepare_patient(write_patient(phases=("arterial",)), recipe).views["tumor"].regions
    of, voxel = recipe.region_bits, 1.5**3
    assert (of["margin"], of["shell"], of["core"]) == (4, 16, 32)
    found = {name: (regions & of[name]) > 0 for name in of}
    ball = 4 / 3 * np.pi
    assert found["margin"].sum() * voxel == pytest.approx(ball * (17**3 - 13**3), rel=0.03)
    assert found["core"].sum() * voxel == pytest.approx(ball * (15**3 - 10**3), rel=0.03)
    assert found["shell"].sum() * voxel == pytest.approx(ball * (25**3 - 15**3), rel=0.03)
    assert not (found["shell"] & found["tumor"]).any()
    assert not (found["shell"] & ~found["liver"]).any()
    assert not (found["core"] & ~found["tumor"]).any()

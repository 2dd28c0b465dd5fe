"""Means and spreads of tumor and margin zone: known by construction, in HU, never clipped."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  (its usual abbreviation)
from drawing import to_image
from one_view import one_view

from mtl_hcc.imaging.prepare_patient import prepare_patient
from mtl_hcc.imaging.region_statistics import region_statistics
from mtl_hcc.imaging.scan import read_scans
from mtl_hcc.patient import Patient

SHAPE = (40, 48, 48)


def a_ball(center=(20, 24, 24), radius=9.0):
    """Return a liver block with a tumor ball, and the distance of each voxel to its center."""
    z, y, x = np.indices(SHAPE)
    distance = np.sqrt((z - center[0]) ** 2 + (y - center[1]) ** 2 + (x - center[2]) ** 2)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[4:-4, 4:-4, 4:-4] = 1
    labels[distance <= radius] = 2
    return labels, distance


def scans_of(folder, images, labels, spacing=(2.0, 2.0, 2.0)):
    regions = folder / "regions.nii.gz"
    sitk.WriteImage(to_image(labels, spacing), str(regions))
    paths = {}
    for phase, hu in images.items():
        paths[phase] = folder / f"{phase}.nii.gz"
        sitk.WriteImage(to_image(hu.astype(np.float32), spacing), str(paths[phase]))
    patient = Patient("P001", paths, dict.fromkeys(paths, regions))
    recipe = one_view(phases=list(paths), plausibility="remark")
    return read_scans(patient, recipe)[0]


def test_mean_and_spread_of_constant_regions_are_those_constants(tmp_path):
    labels, distance = a_ball()
    hu = np.where(distance <= 9, 700.0, 110.0)
    hu[distance > 14] = -900.0  # what lies farther away does not matter
    found = region_statistics(scans_of(tmp_path, {"arterial": hu}, labels))
    assert set(found) == {f"arterial_{r}_{w}" for r in ("tumor", "margin") for w in ("mean", "sd")}
    # 700 HU lies above every percentile of the liver: a clipped image could not tell it.
    assert found["arterial_tumor_mean"] == pytest.approx(700, abs=15)
    assert found["arterial_tumor_sd"] < 60
    inside = 0.5  # the zone has as many voxels within the surface as outside, or nearly
    assert found["arterial_margin_mean"] == pytest.approx(700 * inside + 110 * inside, abs=60)
    assert found["arterial_margin_sd"] == pytest.approx(295, abs=40)


def test_the_spread_is_that_of_the_voxels_with_n_in_the_denominator(tmp_path):
    labels, distance = a_ball()
    rng = np.random.default_rng(0)
    hu = 100 + 30 * rng.normal(size=SHAPE)
    found = region_statistics(scans_of(tmp_path, {"portal_venous": hu}, labels))
    # The grid has the spacing of the image and begins half way into no voxel: values are its own.
    own = hu[distance <= 9]
    assert found["portal_venous_tumor_mean"] == pytest.approx(own.mean(), abs=0.3)
    assert found["portal_venous_tumor_sd"] == pytest.approx(own.std(), abs=0.5)


def test_each_phase_has_its_own_values_on_one_drawing(tmp_path):
    labels, _ = a_ball()
    images = {
        "arterial": np.full(SHAPE, 50.0) + np.arange(SHAPE[2]),
        "delayed": np.full(SHAPE, 90.0) + np.arange(SHAPE[2]),
    }
    found = region_statistics(scans_of(tmp_path, images, labels))
    assert found["delayed_tumor_mean"] - found["arterial_tumor_mean"] == pytest.approx(40)
    assert found["delayed_tumor_sd"] == pytest.approx(found["arterial_tumor_sd"])


def test_what_lies_outside_the_image_does_not_count(tmp_path):
    labels, distance = a_ball(center=(3, 24, 24))
    labels[:4][labels[:4] == 0] = 1
    hu = np.where(distance <= 40, 80.0, -1000.0)  # -1000 is what resampling fills the outside with
    found = region_statistics(scans_of(tmp_path, {"arterial": hu}, labels))
    assert found["arterial_tumor_mean"] == pytest.approx(80)
    assert found["arterial_margin_mean"] == pytest.approx(80, abs=0.01)


def test_preparing_a_patient_measures_them(write_patient):
    recipe = one_view(spacing_mm=3.0, field_of_view_mm=60.0)
    quality = prepare_patient(write_patient(), recipe).quality
    for phase in recipe.phases:
        for region in ("tumor", "margin"):
            assert np.isfinite(quality[f"{phase}_{region}_mean"])
            assert quality[f"{phase}_{region}_sd"] >= 0
    other = one_view(spacing_mm=5.0, field_of_view_mm=40.0, clip_percentiles=(20, 80))
    coarse = prepare_patient(write_patient(), other).quality
    names = [name for name in quality if name.endswith(("tumor_mean", "tumor_sd", "margin_sd"))]
    assert len(names) == 9
    assert [coarse[name] for name in names] == [quality[name] for name in names]

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, to_image
from scipy.ndimage import gaussian_filter

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepare_patient import prepare_patient
from mtl_hcc.imaging.registration import align
from mtl_hcc.imaging.resample import sample_image
from mtl_hcc.patient import Patient

SPACING = (2.5, 2.5, 3.0)
SIZE = (56, 48, 36)
SHIFT = np.array([6.0, -4.0, 5.0])


def body(shift=(0.0, 0.0, 0.0), *, enhancement=1.0, seed=0):
    """Return an abdomen-like image: body, liver, spleen, spine, at ``shift``."""
    sx, sy, sz = shift

    def organ(x, y, z, radius):
        return ball(SIZE, SPACING, (x + sx, y + sy, z + sz), radius)

    _, y, x = np.ogrid[: SIZE[2], : SIZE[1], : SIZE[0]]
    trunk = ((x * 2.5 - 70 - sx) / 62) ** 2 + ((y * 2.5 - 60 - sy) / 50) ** 2 <= 1
    hu = np.where(np.broadcast_to(trunk, SIZE[::-1]), -60.0, -1000.0)
    hu[organ(48, 55, 55, 30)] = 60 + 50 * enhancement
    hu[organ(105, 65, 60, 16)] = 50 + 70 * enhancement
    hu[organ(70, 95, 40, 11)] = 400
    hu[organ(70, 95, 75, 11)] = 400
    hu[organ(40, 50, 55, 10)] = 60 + 90 * enhancement
    hu = gaussian_filter(hu, 0.7) + np.random.default_rng(seed).normal(0, 10, hu.shape)
    return hu.astype(np.float32), organ(48, 55, 55, 30), organ(40, 50, 55, 10)


def test_a_shift_between_phases_is_recovered_within_a_millimeter():
    fixed = to_image(body()[0], SPACING)
    moving = to_image(body(SHIFT, enhancement=0.5, seed=1)[0], SPACING)
    moved, transform = align(moving, fixed)
    for point in ([48.0, 55.0, 55.0], [105.0, 65.0, 60.0], [70.0, 95.0, 75.0]):
        np.testing.assert_allclose(transform.TransformPoint(point) - np.array(point), SHIFT, atol=1)
    again, _ = align(moving, fixed)
    assert again.GetOrigin() == pytest.approx(moved.GetOrigin(), abs=1e-6)  # A fixed seed.


def test_the_moved_geometry_puts_voxels_where_the_transform_says():
    moving = to_image(body(SHIFT)[0], SPACING)
    moved, transform = align(moving, to_image(body()[0], SPACING))
    grid = Grid.around((50.0, 55.0, 55.0), field_of_view_mm=40, spacing_mm=2)
    theirs = sitk.Resample(moving, grid.size, transform, sitk.sitkLinear, grid.origin, grid.spacing)
    np.testing.assert_allclose(sample_image(moved, grid), sitk.GetArrayFromImage(theirs), atol=0.5)


def test_a_phase_without_a_map_is_brought_onto_the_phase_with_one(tmp_path):
    hu, liver, tumor = body()
    labels = liver.astype(np.uint8) + tumor
    moved_hu = body(SHIFT, enhancement=0.5, seed=1)[0]
    paths = {name: tmp_path / f"{name}.nii.gz" for name in ("portal", "arterial", "labels")}
    for name, values in (("portal", hu), ("arterial", moved_hu), ("labels", labels)):
        sitk.WriteImage(to_image(values, SPACING), str(paths[name]))
    patient = Patient(
        "P1",
        {"arterial": paths["arterial"], "portal_venous": paths["portal"]},
        {"portal_venous": paths["labels"]},
    )
    still, found = (
        prepare_patient(
            patient,
            Preparation(
                phases=["arterial", "portal_venous"],
                spacing_mm=2,
                field_of_view_mm=80,
                registration=registration,
            ),
        )
        for registration in ("none", "rigid")
    )
    assert found.quality["registered"] == "arterial"
    assert found.quality["map_borrowed"] == "arterial"
    # The true liver of the phantom in the arterial phase: 85 HU, and 105 HU in the tumor.
    assert still.quality["arterial_liver_mean"] < found.quality["arterial_liver_mean"]
    assert found.quality["arterial_liver_mean"] == pytest.approx(hu_inside(), abs=3)


def hu_inside():
    values, liver, _ = body(enhancement=0.5)
    return float(values[liver].mean())

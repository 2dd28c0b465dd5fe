"""Maps on the patient's own grid: the physical place is kept, by an independent reader."""

import errno
import math
import os

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from one_view import one_view

from mtl_hcc.errors import ImageError, StoreError
from mtl_hcc.explanation.own_grid import on_own_grid, own_map, own_space, write_nifti
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.patient import Patient

GRID = Grid.around((12.0, -31.0, 77.0), field_mm=(64, 64, 64), spacing_mm=(2, 2, 2))
BLOB = (16.0, -25.0, 70.0)
"""Where the blob lies, x, y, z in mm, LPS."""


def turned(degrees: tuple[float, float, float], *, flip=(1, 1, 1)) -> tuple[float, ...]:
    """Return direction cosines of a scan that lies oblique, some of its axes reversed."""
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*(math.radians(d) for d in degrees))
    matrix = np.array(transform.GetMatrix()).reshape(3, 3) * np.array(flip)
    return tuple(matrix.ravel())


def scan(direction: tuple[float, ...]) -> sitk.Image:
    """Return an anisotropic image around the grid's middle."""
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.normal(size=(30, 90, 110)).astype(np.float32))
    image.SetSpacing((0.9, 1.1, 3.7))
    image.SetDirection(direction)
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    image.SetOrigin([12.0 - middle[0], -31.0 - middle[1], 77.0 - middle[2]])
    return image


def blob() -> np.ndarray:
    """Return a Gaussian of 4 mm around ``BLOB`` on the prepared grid."""
    axes = [GRID.origin[a] + GRID.spacing[a] * np.arange(GRID.size[a]) for a in range(3)]
    x, y, z = (axis - center for axis, center in zip(axes, BLOB, strict=True))
    away = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2
    return np.exp(-away / (2 * 4**2)).astype(np.float32)


DIRECTIONS = {
    "aligned": turned((0, 0, 0)),
    "oblique": turned((14, -9, 23)),
    "oblique and mirrored": turned((5, 17, -11), flip=(-1, -1, 1)),
}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_blob_lands_at_its_place_in_the_file(tmp_path, direction):
    sitk.WriteImage(scan(direction), str(tmp_path / "arterial.nii.gz"))
    patient = Patient("P1", {"arterial": tmp_path / "arterial.nii.gz"}, {})
    image = own_map(blob(), GRID, patient, "arterial", preparation=one_view(), registered=False)
    write_nifti(image, tmp_path / "map.nii.gz")
    own = nibabel.load(tmp_path / "arterial.nii.gz")
    found = nibabel.load(tmp_path / "map.nii.gz")
    assert found.shape == own.shape
    np.testing.assert_allclose(found.affine, own.affine, atol=1e-4)
    values = np.asarray(found.dataobj)
    index = (np.indices(values.shape) * values).reshape(3, -1).sum(axis=1) / values.sum()
    right, anterior, up = (found.affine @ [*index, 1])[:3]  # nibabel speaks RAS
    np.testing.assert_allclose([-right, -anterior, up], BLOB, atol=0.3)
    peak = np.unravel_index(values.argmax(), values.shape)
    right, anterior, up = (found.affine @ [*peak, 1])[:3]
    off = np.linalg.norm(np.subtract([-right, -anterior, up], BLOB))
    assert off < np.linalg.norm([0.9, 1.1, 3.7]) / 2 + 0.1, "within a voxel"


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_map_that_is_linear_in_space_keeps_its_value_at_every_corner(direction):
    axes = [GRID.origin[a] + GRID.spacing[a] * np.arange(GRID.size[a]) for a in range(3)]
    ramp = axes[2][:, None, None] * 3 + axes[1][None, :, None] - 2 * axes[0][None, None, :]
    image = on_own_grid(ramp.astype(np.float32), GRID, scan(direction))
    inside = 0
    low, high = np.array(GRID.box_mm).T
    for index in np.ndindex(*(4, 4, 4)):
        voxel = [int(i * (n - 1) / 3) for i, n in zip(index, image.GetSize(), strict=True)]
        point = np.array(image.TransformIndexToPhysicalPoint(voxel))
        value = image.GetPixel(voxel)
        if ((point > low + 1) & (point < high - 1)).all():
            inside += 1
            assert value == pytest.approx(3 * point[2] + point[1] - 2 * point[0], abs=0.01)
        elif ((point < low) | (point > high)).any():
            assert value == 0, "outside the prepared field of view"
    assert inside >= 4


def test_a_registered_phase_gets_its_map_in_its_own_space(tmp_path):
    """The delayed phase lies 6 mm further left: preparation moves it, the map moves back."""
    rng = np.random.default_rng(1)
    z, y, x = np.indices((24, 40, 40))
    ball = ((z - 12) * 3) ** 2 + ((y - 20) * 2) ** 2 + ((x - 20) * 2) ** 2
    values = 60 + 60 * (ball < 30**2) - 45 * (ball < 14**2) + rng.normal(0, 2, ball.shape)
    values += 40 * (((z - 8) * 3) ** 2 + ((y - 10) * 2) ** 2 + ((x - 28) * 2) ** 2 < 12**2)
    labels = (ball < 30**2).astype(np.uint8) + (ball < 14**2)
    portal, delayed, regions = (sitk.GetImageFromArray(v) for v in (values, values, labels))
    for image, left in ((portal, 0), (delayed, 6), (regions, 0)):
        image.SetSpacing((2, 2, 3))
        image.SetOrigin((left, 0, 0))
    names = {"portal_venous": portal, "delayed": delayed, "portal_venous_regions": regions}
    for name, image in names.items():
        sitk.WriteImage(
            sitk.Cast(image, sitk.sitkFloat32 if image is not regions else sitk.sitkUInt8),
            str(tmp_path / f"{name}.nii.gz"),
        )
    patient = Patient(
        "P1",
        {name: tmp_path / f"{name}.nii.gz" for name in ("portal_venous", "delayed")},
        {"portal_venous": tmp_path / "portal_venous_regions.nii.gz"},
    )
    recipe = one_view(phases=["portal_venous", "delayed"], registration="rigid")
    grid = Grid.around((40, 40, 36), field_mm=(48, 48, 48), spacing_mm=(2, 2, 2))
    middle = np.zeros(grid.shape, np.float32)
    middle[10:14, 10:14, 10:14] = 1  # around (40, 40, 36) mm in the portal venous phase
    for phase, left in (("portal_venous", 0), ("delayed", 6)):
        image = own_map(
            middle, grid, patient, phase, preparation=recipe, registered=phase == "delayed"
        )
        own = sitk.ReadImage(str(patient.images[phase]))
        assert image.GetSize() == own.GetSize()
        np.testing.assert_allclose(image.GetOrigin(), own.GetOrigin(), atol=1e-4)
        found = sitk.GetArrayFromImage(image)
        index = (np.indices(found.shape) * found).reshape(3, -1).sum(axis=1) / found.sum()
        place = image.TransformContinuousIndexToPhysicalPoint(index[::-1].tolist())
        np.testing.assert_allclose(place, (40 + left, 40, 36), atol=1.5)


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.nii\.gz"):
        own_space(tmp_path / "gone.nii.gz")


def test_nothing_but_the_map_is_left_behind(tmp_path):
    write_nifti(scan(DIRECTIONS["aligned"]), tmp_path / "maps" / "os_arterial.nii.gz")
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["os_arterial.nii.gz"]


def test_a_full_disk_is_one_message_and_leaves_no_half_map(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="the disk is full"):
        write_nifti(scan(DIRECTIONS["aligned"]), tmp_path / "maps" / "os_arterial.nii.gz")
    assert list((tmp_path / "maps").iterdir()) == []

import numpy as np
import SimpleITK as sitk  # noqa: N813
from drawing import cube, to_image

from mtl_hcc.imaging.crop import crop_to_field, to_lps
from mtl_hcc.imaging.resample import sample_image


def test_flipped_and_permuted_axes_come_back_with_every_voxel_in_its_place():
    values = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    image = to_image(values, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    turned = sitk.DICOMOrient(image, "PIR")
    assert turned.GetDirection() != image.GetDirection()
    back = to_lps(turned)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), values)
    assert back.GetOrigin() == image.GetOrigin()


def test_cropping_first_changes_nothing_inside_the_field():
    rng = np.random.default_rng(1)
    image = to_image(rng.normal(100, 20, (30, 40, 50)).astype(np.int16), (1.1, 1.2, 2.5))
    regions = to_image(rng.integers(0, 4, (30, 40, 50)).astype(np.uint8), (1.1, 1.2, 2.5))
    grid = cube((25.0, 20.0, 40.0), field_mm=16, spacing_mm=1)
    near, near_regions = crop_to_field(image, regions, grid)
    assert near.GetNumberOfPixels() < image.GetNumberOfPixels() / 4
    assert near.GetPixelID() == image.GetPixelID()
    assert near_regions.GetPixelID() == sitk.sitkUInt8
    assert near_regions.GetSize() == near.GetSize()
    np.testing.assert_allclose(sample_image(near, grid), sample_image(image, grid), atol=1e-4)


def test_a_field_beside_the_image_leaves_it_whole():
    image = to_image(np.random.default_rng(2).normal(size=(8, 8, 8)).astype(np.float32))
    grid = cube((500.0, 0.0, 0.0), field_mm=8, spacing_mm=1)
    near, _ = crop_to_field(image, None, grid)
    assert near.GetSize() == image.GetSize()

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from mtl_hcc.data.augmentation import cpu_affine
from mtl_hcc.data.augmentation.affine import resample, resample_by_grid
from mtl_hcc.data.augmentation.rotation_3d import draw_rotations


def rotations(number, seed=0):
    return draw_rotations([np.random.default_rng([seed, row]) for row in range(number)])


def rotate(images, regions, matrices):
    """Send what lay at p to ``matrix @ p``."""
    return resample(images, regions, matrices.transpose(1, 2))


def smooth_field(shape=(24, 24, 24), seed=0):
    """Return a smooth image that vanishes toward the edge of the field."""
    noise = np.random.default_rng(seed).random(shape)
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.5
    field = gaussian_filter((noise - 0.5) * inside, 2)
    return torch.from_numpy((field / np.abs(field).max()).astype(np.float32))[None, None]


def no_regions(images):
    return torch.zeros(images.shape, dtype=torch.uint8)


def test_the_identity_changes_nothing():
    images = torch.rand(2, 3, 5, 6, 7)
    regions = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    turned, turned_regions = rotate(images, regions, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(turned, images, atol=1e-5, rtol=0)
    assert torch.equal(turned_regions, regions)


def test_a_quarter_turn_about_z_moves_x_to_y_exactly():
    images = torch.rand(1, 2, 3, 6, 6)
    regions = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    turned, turned_regions = rotate(images, regions, quarter)
    # What lay on the x axis lies on the y axis: numpy turns (y, x) the other way round.
    torch.testing.assert_close(turned, torch.rot90(images, -1, (3, 4)), atol=1e-5, rtol=0)
    assert torch.equal(turned_regions, torch.rot90(regions, -1, (3, 4)))


def test_a_point_goes_where_the_matrix_sends_it_in_a_field_that_is_no_cube():
    shape, point = (28, 30, 36), np.array([6.0, -3.0, 2.0])  # x y z from the center
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    ball = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2 + (z - point[2]) ** 2) / 8)
    images = torch.from_numpy(ball.astype(np.float32))[None, None].expand(5, 1, *shape)
    matrices = rotations(5)
    turned, _ = rotate(images, no_regions(images), matrices)
    for found, matrix in zip(turned[:, 0].numpy(), matrices.numpy(), strict=True):
        center = [np.average(axis, weights=found) for axis in (x, y, z)]
        np.testing.assert_allclose(center, matrix @ point, atol=0.15)


def test_turning_back_gives_the_smooth_image_again():
    images = smooth_field().expand(4, 1, 24, 24, 24)
    matrices = rotations(4)
    there, _ = rotate(images, no_regions(images), matrices)
    back, _ = rotate(there, no_regions(images), matrices.transpose(1, 2))
    assert (there - images).abs().amax((1, 2, 3, 4)).min() > 0.8
    assert (back - images).abs().max() < 0.15


def test_two_rotations_are_one_by_the_product():
    images = smooth_field()
    first, second = rotations(2)[:, None]
    once, _ = rotate(images, no_regions(images), second @ first)
    twice, _ = rotate(rotate(images, no_regions(images), first)[0], no_regions(images), second)
    assert (once - twice).abs().max() < 0.15


@pytest.mark.parametrize("phases", [1, 3, 5, 8])
def test_on_a_cpu_it_gives_what_grid_sample_gives_on_any_device(phases):
    images = torch.rand(3, phases, 10, 12, 14)
    regions = torch.randint(0, 256, images.shape, dtype=torch.uint8)
    matrices = rotations(3)
    turned, turned_regions = rotate(images, regions, matrices)
    expected, expected_regions = resample_by_grid(images, regions, matrices.transpose(1, 2))
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)
    assert (turned_regions != expected_regions).float().mean() < 1e-3


def test_slabs_do_not_change_the_result(monkeypatch):
    images = torch.rand(2, 3, 10, 12, 14)
    regions = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    whole = rotate(images, regions, rotations(2))
    monkeypatch.setattr(cpu_affine, "SLAB_VOXELS", 3 * 12 * 14)
    slabs = rotate(images, regions, rotations(2))
    torch.testing.assert_close(slabs, whole)


@pytest.mark.parametrize("phases", [1, 3, 8])
def test_regions_stay_the_labels_they_were_phase_by_phase(phases):
    values = torch.arange(1, phases + 1, dtype=torch.uint8)[None, :, None, None, None]
    regions = values.expand(1, phases, 9, 9, 9).contiguous()
    _, turned = rotate(torch.zeros(regions.shape), regions, rotations(1))
    for phase in range(phases):
        assert set(turned[0, phase].unique().tolist()) == {0, phase + 1}


def test_a_tumor_keeps_its_volume_within_two_percent():
    z, y, x = np.indices((48, 48, 48)) - 23.5
    tumor = ((x / 14) ** 2 + ((y - 4) / 9) ** 2 + (z / 7) ** 2 < 1).astype(np.uint8)
    regions = torch.from_numpy(tumor)[None, None].expand(8, 1, 48, 48, 48) * 2
    images = (regions > 0).float()
    turned, turned_regions = rotate(images, regions, rotations(8))
    volume = (turned_regions > 0).sum((1, 2, 3, 4)) / tumor.sum()
    mass = turned.sum((1, 2, 3, 4)) / tumor.sum()
    torch.testing.assert_close(volume.float(), torch.ones(8), atol=0.02, rtol=0)
    torch.testing.assert_close(mass.float(), torch.ones(8), atol=0.005, rtol=0)


def test_low_precision_images_come_out_as_float32_also_under_autocast():
    images = torch.rand(1, 1, 6, 6, 6).half()
    expected, _ = rotate(images.float(), no_regions(images), rotations(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        turned, _ = rotate(images, no_regions(images), rotations(1))
    torch.testing.assert_close(turned, expected)


def test_draws_are_rotations_and_uniform():
    matrices = rotations(4000).double()
    identity = torch.eye(3, dtype=torch.float64).expand(4000, 3, 3)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), identity, atol=1e-5, rtol=0)
    assert torch.det(matrices).min() > 0.999
    # Uniform: each entry has mean 0 and variance 1/3; the angle has density (1 - cos a) / pi.
    assert matrices.mean(0).abs().max() < 4 * (1 / 3 / 4000) ** 0.5
    angles = np.sort(Rotation.from_matrix(matrices.numpy()).magnitude())
    distribution = (angles - np.sin(angles)) / np.pi
    steps = np.arange(1, 4001) / 4000
    assert np.abs(distribution - steps).max() < 1.95 / 4000**0.5  # Kolmogorov, p = 0.001

"""Where tissue goes, by value."""

import numpy as np
import pytest
import torch
from batches import VIEWS, generators, training_batch
from one_view import view_batch

from mtl_hcc.data.augmentation import Flip, InPlaneRotation, Rotation3D, Scale
from mtl_hcc.data.augmentation.spatial import move


def ball(point_mm, *, shape, spacing_mm, width_mm=2.5):
    """Return a smooth ball around a point (x, y, z) from the center, in millimeters."""
    axes = [(np.arange(n) - (n - 1) / 2) for n in shape]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    distance = sum(
        (axis * mm - p) ** 2 for axis, mm, p in zip((x, y, z), spacing_mm, point_mm, strict=True)
    )
    return torch.from_numpy(np.exp(-distance / 2 / width_mm**2).astype(np.float32))


def center_mm(image, spacing_mm):
    axes = [torch.arange(n) - (n - 1) / 2 for n in image.shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    weight = image / image.sum()
    return [
        float((axis * weight).sum() * mm) for axis, mm in zip((x, y, z), spacing_mm, strict=True)
    ]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.8, 2.0)])
@pytest.mark.parametrize("transform", [Rotation3D(), InPlaneRotation(), Flip(), Scale(most=0.4)])
def test_a_point_goes_where_the_transform_sends_it_in_millimeters(spacing, transform):
    point, shape = np.array([5.0, -3.0, 2.0]), [int(36 / mm) for mm in spacing[::-1]]
    images = ball(point, shape=shape, spacing_mm=spacing)[None, None].expand(4, 1, *shape)
    seen = view_batch(images, torch.zeros(images.shape, dtype=torch.uint8), spacing_mm=spacing)
    matrices = transform.sources(generators(4, seed=1))
    moved = move(seen, matrices)
    for image, matrix in zip(moved.images[:, 0], matrices.double(), strict=True):
        expected = torch.linalg.inv(matrix) @ torch.from_numpy(point)
        np.testing.assert_allclose(center_mm(image, spacing), expected, atol=0.25)


def test_a_rotated_ball_stays_a_ball_where_voxels_are_no_cubes():
    spacing, shape = (0.7, 0.8, 2.0), (20, 50, 56)
    image = ball((0, 0, 0), shape=shape, spacing_mm=spacing, width_mm=4.0)[None, None]
    seen = view_batch(image, torch.zeros(image.shape, dtype=torch.uint8), spacing_mm=spacing)
    moved = move(seen, Rotation3D().sources(generators(1)))
    assert (moved.images - image).abs().max() < 0.08


def test_a_shorter_stack_turns_about_its_own_center_as_if_it_were_alone():
    together, alone = training_batch([0, 1]).views["slices"], training_batch([0]).views["slices"]
    alone = alone.map(lambda tensor: tensor[:, :, :3] if tensor.ndim == 5 else tensor)
    alone.slice_present = alone.slice_present[:, :3]
    matrices = Rotation3D().sources(generators(2))
    both, one = move(together, matrices), move(alone, matrices[:1])
    torch.testing.assert_close(both.images[:1, :, :3], one.images)
    assert torch.equal(both.regions[:1, :, :3], one.regions)
    assert (both.images[0, :, 3:] == 0).all()


def test_in_plane_each_slice_keeps_its_tissue():
    seen = training_batch([1]).views["slices"]
    only = seen.map(lambda tensor: tensor)
    only.images = torch.zeros_like(seen.images)
    only.images[:, :, 2] = seen.images[:, :, 2]
    moved = move(only, InPlaneRotation(degrees=90).sources(generators(1)))
    assert (moved.images[:, :, 2] > 0).any()
    assert (moved.images[:, :, [0, 1, 3, 4]] == 0).all()


def test_a_quarter_turn_in_plane_is_that_of_numpy():
    images = torch.rand(1, 2, 3, 6, 6)
    regions = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    quarter = torch.tensor([[[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]])  # where it comes from
    moved = move(view_batch(images, regions), quarter)
    torch.testing.assert_close(moved.images, torch.rot90(images, -1, (3, 4)), atol=1e-5, rtol=0)
    assert torch.equal(moved.regions, torch.rot90(regions, -1, (3, 4)))


def test_angles_are_uniform_up_to_the_most_degrees():
    matrices = InPlaneRotation(degrees=30).sources(generators(4000))
    angles = torch.rad2deg(torch.atan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert angles.abs().max() <= 30
    assert abs(angles.mean()) < 1
    assert abs(angles.std() - 60 / 12**0.5) < 0.5


@pytest.mark.parametrize("axes", [["x"], ["y", "z"], ["x", "y", "z"]])
def test_a_flip_is_exactly_torch_s_own_and_each_axis_has_chance_one_half(axes):
    seen = training_batch([1, 3, 5, 7]).views["slices"]  # five slices each
    matrices = Flip(axes=axes).sources(generators(4))
    moved = move(seen, matrices)
    for patient, signs in enumerate(matrices.diagonal(dim1=1, dim2=2)):
        turned = [dim for dim, sign in zip((3, 2, 1), signs, strict=True) if sign < 0]
        assert torch.equal(moved.images[patient], seen.images[patient].flip(turned))
        assert torch.equal(moved.regions[patient], seen.regions[patient].flip(turned))
    signs = Flip(axes=axes).sources(generators(4000)).diagonal(dim1=1, dim2=2)
    rates = [0.5 if axis in axes else 0.0 for axis in "xyz"]
    np.testing.assert_allclose((signs < 0).float().mean(0), rates, atol=0.03)


def test_factors_are_uniform_on_the_logarithmic_scale_and_volumes_follow_them():
    factors = 1 / Scale(most=0.5).sources(generators(4000))[:, 0, 0].double()
    assert factors.min() >= 1 / 1.5 - 1e-6
    assert factors.max() <= 1.5 + 1e-6
    assert abs(factors.log().mean()) < 0.02
    image = ball((0, 0, 0), shape=(48, 48, 48), spacing_mm=(1, 1, 1), width_mm=4.0)[None, None]
    seen = view_batch(image, (image > 0.02).to(torch.uint8))
    matrices = Scale(most=0.5).sources(generators(1))
    moved = move(seen, matrices)
    cube = (1 / matrices[0, 0, 0]) ** 3
    assert float(moved.images.sum() / image.sum()) == pytest.approx(float(cube), rel=0.01)
    ratio = moved.regions.sum() / seen.regions.sum()
    assert float(ratio) == pytest.approx(float(cube), rel=0.05)


def test_all_views_turn_by_the_same_matrix():
    batch = training_batch([1]).plain()
    turned = Rotation3D()(batch, generators(1), VIEWS)
    matrix = Rotation3D().sources(generators(1))
    for name, view in batch.views.items():
        assert torch.equal(turned.views[name].images, move(view, matrix).images)

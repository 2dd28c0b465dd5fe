import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, cube, to_image
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.resample import sample_image, sample_mask


def ramp(size, spacing, origin, direction=None):
    """Return an image whose value is a linear function of physical position, and the function."""
    image = to_image(np.zeros(size[::-1], np.float32), spacing, origin, direction)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(spacing)
    z, y, x = np.indices(size[::-1])
    points = np.stack([x, y, z], axis=-1) @ matrix.T + np.array(origin)
    filled = sitk.GetImageFromArray((points @ [2.0, -3.0, 0.5] + 7).astype(np.float32))
    filled.CopyInformation(image)
    return filled


def expected_on(grid):
    z, y, x = np.indices(grid.shape)
    points = np.stack([x, y, z], axis=-1) * np.array(grid.spacing) + np.array(grid.origin)
    return points @ [2.0, -3.0, 0.5] + 7


@pytest.mark.parametrize("target", [1.0, 3.0])
def test_a_linear_ramp_stays_exact_on_any_grid(target):
    image = ramp((60, 50, 24), (0.8, 0.9, 2.5), (-20.0, 5.0, 100.0))
    grid = cube((4.0, 27.0, 130.0), field_mm=18, spacing_mm=target)
    np.testing.assert_allclose(sample_image(image, grid), expected_on(grid), atol=2e-3)


def test_an_oblique_image_lands_where_it_lies():
    angle = np.radians(20)
    turn = (np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0, 0, 0, 1)
    image = ramp((60, 60, 40), (1.0, 1.0, 1.5), (0.0, 0.0, 0.0), turn)
    middle = image.TransformContinuousIndexToPhysicalPoint((30, 30, 20))
    grid = cube(middle, field_mm=20, spacing_mm=1)
    np.testing.assert_allclose(sample_image(image, grid), expected_on(grid), atol=2e-2)


def test_outside_the_image_there_is_air():
    image = to_image(np.random.default_rng(0).uniform(-900, 100, (8, 8, 8)))
    grid = Grid((-10.0, 0.0, 0.0), (1.0, 1.0, 1.0), (5, 8, 8))
    assert sample_image(image, grid) == pytest.approx(sitk.GetArrayViewFromImage(image).min())


def test_it_agrees_with_simpleitk():
    rng = np.random.default_rng(1)
    image = to_image(rng.normal(size=(20, 30, 40)).astype(np.float32), (1.4, 1.2, 3.0))
    grid = cube((25.0, 17.0, 28.0), field_mm=20, spacing_mm=1)
    theirs = sitk.Resample(
        image, grid.size, sitk.Transform(), sitk.sitkLinear, grid.origin, grid.spacing
    )
    np.testing.assert_allclose(sample_image(image, grid), sitk.GetArrayFromImage(theirs), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    inplane=st.floats(0.5, 2.5),
    slices=st.floats(0.5, 6.0),
    radius=st.floats(6, 24),
    target=st.sampled_from([0.8, 1.0, 2.0]),
    shift=st.floats(-1, 1),
)
def test_region_volumes_survive_within_one_percent(inplane, slices, radius, target, shift):
    spacing = (inplane, inplane, slices)
    size = tuple(int(64 / s) + 2 for s in spacing)
    mask = ball(size, spacing, (32 + shift, 32 - shift, 32), radius)
    on = to_image(mask.astype(np.uint8), spacing)
    grid = cube((32.0, 32.0, 32.0), field_mm=60, spacing_mm=target)
    before = mask.sum() * np.prod(spacing)
    after = sample_mask(mask, on, grid).sum() * grid.voxel_mm3
    assert abs(after - before) <= max(0.01 * before, grid.voxel_mm3)


def test_on_its_own_grid_a_box_keeps_its_voxels():
    mask = np.zeros((12, 12, 12), dtype=bool)
    mask[3:9, 2:10, 4:8] = True
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (12, 12, 12))
    kept = sample_mask(mask, to_image(mask.astype(np.uint8)), grid)
    assert kept.sum() == mask.sum()
    assert (kept & mask).sum() / mask.sum() > 0.9

"""What is cut out of a view that is stored larger than it is seen."""

import numpy as np
import pytest
import torch
from one_view import view_batch

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.augmentation import Rotation3D
from mtl_hcc.data.augmentation.spatial import move
from mtl_hcc.data.field_of_view import as_seen, seen_grid
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.view import View

SEEN = View(field_of_view_mm=8.0, stored_field_mm=14.0)


def patients(view):
    number = len(view.images)
    return PatientBatch(
        patient_id=[f"P{row}" for row in range(number)],
        center=["I"] * number,
        split=["train"] * number,
        index=torch.arange(number),
        views={"tumor": view},
        covariates=None,
        targets={},
    )


def cut(view, recipe=SEEN):
    return as_seen(patients(view), {"tumor": recipe}).views["tumor"]


def volumes(*shape):
    random = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=random) + 0.1
    return images, torch.randint(1, 16, shape, generator=random, dtype=torch.uint8)


def test_with_nothing_stored_beyond_the_field_the_view_is_the_same():
    view = view_batch(*volumes(2, 3, 8, 8, 8))
    assert cut(view, View(field_of_view_mm=8.0)) is view
    assert cut(view, View(field_of_view_mm=8.0, stored_field_mm=8.0)) is view


def test_the_middle_is_cut_out():
    images, regions = volumes(2, 3, 14, 14, 14)
    view = cut(view_batch(images, regions))
    assert torch.equal(view.images, images[:, :, 3:11, 3:11, 3:11])
    assert torch.equal(view.regions, regions[:, :, 3:11, 3:11, 3:11])
    assert view.slice_present.shape == (2, 8)
    assert view.slice_present.all()


def test_a_rotated_larger_view_is_the_rotation_of_the_whole_image_without_empty_corners():
    images, regions = volumes(2, 1, 30, 30, 30)
    stored = view_batch(images[..., 8:22, 8:22, 8:22], regions[..., 8:22, 8:22, 8:22])
    matrices = Rotation3D().sources([np.random.default_rng(seed) for seed in (1, 2)])
    whole, large = move(view_batch(images, regions), matrices), move(stored, matrices)
    seen = cut(large)
    torch.testing.assert_close(seen.images, whole.images[..., 11:19, 11:19, 11:19])
    same = seen.regions == whole.regions[..., 11:19, 11:19, 11:19]
    assert same.float().mean() > 0.99, "a voxel between two may fall to either"
    assert (seen.regions > 0).all()
    small = view_batch(images[..., 11:19, 11:19, 11:19], regions[..., 11:19, 11:19, 11:19])
    assert (move(small, matrices).regions == 0).float().mean() > 0.05, "its corners are empty"


def test_of_stacks_with_acquired_slices_each_patient_s_own_middle_is_cut_out():
    recipe = View(
        spacing_mm=[1.0, 1.0, "acquired"],
        field_of_view_mm=[8.0, 6.0, 20.0],
        stored_field_mm=[12.0, 12.0, 40.0],
    )
    images, regions = volumes(2, 2, 8, 12, 12)
    view = view_batch(images, regions)
    view.spacing_mm = torch.tensor([[1.0, 1.0, 5.0], [1.0, 1.0, 10.0]])
    view.slice_present[1, 4:] = False  # 40 mm are 8 slices of 5 mm, or 4 of 10 mm
    seen = cut(view, recipe)
    assert seen.images.shape == seen.regions.shape == (2, 2, 4, 6, 8)
    assert torch.equal(seen.images[0], images[0, :, 2:6, 3:9, 2:10])
    assert torch.equal(seen.images[1, :, :2], images[1, :, 1:3, 3:9, 2:10])
    assert (seen.images[1, :, 2:] == 0).all()
    assert (seen.regions[1, :, 2:] == 0).all()
    assert seen.slice_present.tolist() == [[True] * 4, [True, True, False, False]]


@pytest.mark.parametrize(
    ("recipe", "spacing", "size"),
    [
        (SEEN, (1.0, 1.0, 1.0), (8, 8, 8)),
        (View(field_of_view_mm=8.0), (1.0, 1.0, 1.0), (8, 8, 8)),
        (
            View(
                spacing_mm=[1.0, 1.0, "acquired"],
                field_of_view_mm=[8.0, 6.0, 20.0],
                stored_field_mm=[12.0, 12.0, 40.0],
            ),
            (1.0, 1.0, 5.0),
            (8, 6, 4),
        ),
    ],
)
def test_the_grid_of_what_is_seen_is_the_one_that_would_be_prepared_without_more(
    recipe, spacing, size
):
    center = (3.0, -5.0, 100.0)
    stored = Grid.around(center, field_mm=recipe.field_mm, spacing_mm=spacing)
    grid = seen_grid(stored, recipe)
    assert grid == Grid.around(center, field_mm=recipe.seen_mm, spacing_mm=spacing)
    assert grid.size == size


def test_the_middle_is_exact_also_where_the_setting_asks_for_half_a_voxel():
    # 15 voxels cannot lie about the center of 8: preparation stores four more on both sides.
    recipe = View(field_of_view_mm=8.0, spacing_mm=1.0, stored_field_mm=15.0)
    seen = Grid.around((3.0, -5.0, 100.0), field_mm=recipe.seen_mm, spacing_mm=(1.0, 1.0, 1.0))
    assert seen_grid(seen.grown((4, 4, 4)), recipe) == seen

"""Predictions as means over rotations: which there are, and what they do to a patient."""

import itertools

import numpy as np
import pytest
import torch
from one_view import view_batch

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.augmentation import Flip, InPlaneRotation, RightAngleRotation, Rotation3D
from mtl_hcc.data.augmentation.right_angle_rotation import CUBE_ROTATIONS
from mtl_hcc.data.augmentation.spatial import move
from mtl_hcc.data.field_of_view import as_seen
from mtl_hcc.data.prediction_rotations import prediction_rotations, rotated
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.view import View

CUBE = View(spacing_mm=2.0, field_of_view_mm=16.0, stored_field_mm=24.0)
SLAB = View(spacing_mm=[1.0, 1.0, 5.0], field_of_view_mm=[16.0, 16.0, 40.0])
STACK = View(spacing_mm=[1.0, 1.0, "acquired"], field_of_view_mm=[16.0, 16.0, 40.0])
OBLONG = View(spacing_mm=1.0, field_of_view_mm=[16.0, 12.0, 8.0])
ANY = [Rotation3D()]


def patients(shape=(2, 3, 12, 12, 12), spacing=(2.0, 2.0, 2.0)):
    random = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=random)
    regions = torch.randint(0, 16, shape, generator=random, dtype=torch.uint8)
    return PatientBatch(
        patient_id=[f"P{row}" for row in range(shape[0])],
        center=["I"] * shape[0],
        split=["train"] * shape[0],
        index=torch.arange(shape[0]),
        views={"tumor": view_batch(images, regions, spacing_mm=spacing)},
        covariates=None,
        targets={},
    )


def test_the_rotations_are_the_24_of_a_cube_each_once_and_first_none():
    assert np.array_equal(CUBE_ROTATIONS[0].matrix, np.eye(3))
    matrices = np.stack([rotation.matrix for rotation in CUBE_ROTATIONS])
    assert len(np.unique(matrices, axis=0)) == 24
    np.testing.assert_allclose(np.linalg.det(matrices), 1)  # no mirror images
    products = np.einsum("aij,bjk->abik", matrices, matrices).reshape(-1, 3, 3)
    assert len(np.unique([*matrices, *products], axis=0)) == 24, "they are a group"


def test_any_number_of_the_first_is_well_spread():
    def smallest(number):
        pairs = itertools.combinations(CUBE_ROTATIONS[:number], 2)
        return min(one.degrees_to(other) for one, other in pairs)

    assert [smallest(number) for number in (2, 4, 12, 24)] == [180, 180, 120, 90]


def test_a_rotation_is_that_of_the_augmentation_without_its_interpolation():
    batch = patients()
    for rotation in CUBE_ROTATIONS:
        source = torch.from_numpy(
            rotation.matrix[::-1, ::-1].T.copy()
        )  # x, y, z; where the tissue comes from
        expected = move(batch.views["tumor"], source.expand(2, 3, 3))
        found = rotated(batch, rotation).views["tumor"]
        torch.testing.assert_close(found.images, expected.images, rtol=0, atol=1e-5)
        assert torch.equal(found.regions, expected.regions)


def test_the_stored_field_is_turned_and_nothing_of_what_is_seen_is_empty_or_another_part():
    batch = patients()
    before = batch.views["tumor"].images.clone()
    seen = as_seen(batch, {"tumor": CUBE})
    for rotation in CUBE_ROTATIONS:
        one = as_seen(rotated(batch, rotation), {"tumor": CUBE}).views["tumor"].images
        assert torch.equal(one, rotated(seen, rotation).views["tumor"].images)
    assert rotated(batch, CUBE_ROTATIONS[0]) is batch, "as it is"
    assert torch.equal(batch.views["tumor"].images, before), "the batch given stays as it is"


@pytest.mark.parametrize(
    ("views", "augmentation", "number"),
    [
        ([CUBE], ANY, 24),
        ([SLAB], ANY, 8),
        ([STACK], ANY, 4),
        ([OBLONG], ANY, 4),
        ([CUBE, STACK], ANY, 4),
        ([CUBE, OBLONG, STACK], ANY, 2),
        ([CUBE], [RightAngleRotation()], 24),
        ([STACK], [RightAngleRotation()], 4),
        ([CUBE], [RightAngleRotation(probability=0.0)], 1),
        ([CUBE], [InPlaneRotation()], 4),
        ([STACK], [InPlaneRotation()], 4),
        ([CUBE], [InPlaneRotation(degrees=90)], 3),
        ([CUBE], [InPlaneRotation(degrees=20)], 1),
        ([CUBE], [Rotation3D(probability=0.0)], 1),
        ([CUBE], [Flip()], 1),
        ([CUBE], [], 1),
    ],
)
def test_only_rotations_that_fit_all_views_and_that_training_has_met(views, augmentation, number):
    named = {f"view {place}": view for place, view in enumerate(views)}
    found = prediction_rotations(number, named, augmentation)
    assert len(found) == number
    assert found[0] == CUBE_ROTATIONS[0]
    with pytest.raises(ConfigError, match=rf"is {number + 1}\. Expected 1 to {number}:"):
        prediction_rotations(number + 1, named, augmentation)


def test_a_model_is_built_without_memory_whatever_its_augmentation():
    """As a model that is loaded is, to see its shapes before anything large is made."""
    with torch.device("meta"):
        assert len(prediction_rotations(4, {"tumor": CUBE}, [InPlaneRotation()])) == 4
        assert len(prediction_rotations(1, {"tumor": CUBE}, [])) == 1


def test_the_message_says_what_stands_in_the_way():
    with pytest.raises(ConfigError, match="by the fields and voxels of view 'stack'"):
        prediction_rotations(8, {"tumor": CUBE, "stack": STACK}, ANY)
    with pytest.raises(ConfigError, match=r"by data\.augmentation, by which training"):
        prediction_rotations(8, {"tumor": CUBE}, [])
    with pytest.raises(ConfigError, match="there are no images to turn"):
        prediction_rotations(2, {}, ANY)
    assert prediction_rotations(1, {}, []) == CUBE_ROTATIONS[:1]
    for number in (0, -1):
        with pytest.raises(ConfigError, match=f"prediction_rotations is {number}"):
            prediction_rotations(number, {"tumor": CUBE}, ANY)


def test_slices_that_keep_their_place_are_turned_each_in_its_plane():
    batch = patients((1, 1, 5, 16, 16), (1.0, 1.0, 3.0))
    images = batch.views["tumor"].images
    for rotation in prediction_rotations(4, {"tumor": STACK}, ANY):
        turned = rotated(batch, rotation).views["tumor"].images
        turns = [torch.equal(turned, images.rot90(k, (3, 4))) for k in range(4)]
        assert sum(turns) == 1

"""RightAngleRotation: each patient gets one of the allowed rotations, voxel by voxel."""

from collections import Counter

import pytest
import torch
from batches import VIEWS, generators, training_batch

from mtl_hcc.data.augmentation import RightAngleRotation
from mtl_hcc.data.augmentation.augment import Augmentation
from mtl_hcc.data.augmentation.right_angle_rotation import CUBE_ROTATIONS, CubeRotation, allows
from mtl_hcc.data.draws import Purpose, batch_generators
from mtl_hcc.imaging.view import View

ROWS = list(range(40))
CUBE = {"tumor": VIEWS["tumor"]}
OBLONG = View(spacing_mm=1.0, field_of_view_mm=[10.0, 8.0, 6.0])
SQUARE_SLICES = View(spacing_mm=[1.0, 1.0, "acquired"], field_of_view_mm=[8.0, 8.0, 30.0])


def cubes(rows):
    """Return training patients with their view of cubes alone."""
    batch = training_batch(rows)
    batch.views = {"tumor": batch.views["tumor"]}
    return batch


def found_in(before, after, patient) -> list[CubeRotation]:
    """Return the rotations that bring a patient's images and regions to what they are after."""
    part = slice(patient, patient + 1)
    return [
        rotation
        for rotation in CUBE_ROTATIONS
        if rotation.turn(before.images[part]).equal(after.images[part])
        and rotation.turn(before.regions[part]).equal(after.regions[part])
    ]


def test_each_patient_is_turned_by_one_of_the_24_voxel_by_voxel_and_regions_with_it():
    batch = cubes(ROWS)
    turned = Augmentation([RightAngleRotation()], seed=3, views=CUBE)(batch).views["tumor"]
    draws = batch_generators(batch, Purpose.RIGHT_ANGLE_ROTATION, seed=3)
    for patient, generator in enumerate(draws):
        expected = CUBE_ROTATIONS[generator.integers(24)]
        assert found_in(batch.views["tumor"], turned, patient) == [expected]
    assert turned.images.is_contiguous()
    assert turned.regions.is_contiguous()


def test_every_rotation_is_as_likely():
    one = cubes([1]).views["tumor"]
    images, regions = one.images[:, :1, :2, :2, :2], one.regions[:, :1, :2, :2, :2]
    number = 2400
    batch = cubes([1])
    batch.views["tumor"] = one.map(lambda tensor: tensor.expand(number, *tensor.shape[1:]))
    batch.views["tumor"].images = images.expand(number, -1, -1, -1, -1)
    batch.views["tumor"].regions = regions.expand(number, -1, -1, -1, -1)
    turned = RightAngleRotation()(batch, generators(number), CUBE).views["tumor"].images
    counts = Counter(tuple(image.flatten().tolist()) for image in turned)
    assert len(counts) == 24
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 44.2, "chi2, p = 0.005"


def test_all_views_of_a_patient_are_turned_alike_and_only_as_all_of_them_allow():
    batch = training_batch(ROWS)  # cubes, and oblong slices that keep their distance
    turned = Augmentation([RightAngleRotation()], seed=3, views=VIEWS)(batch)
    half_turn = CubeRotation((0, 1, 2), (1, -1, -1))
    seen = Counter()
    for patient in ROWS:
        (tumor,) = found_in(batch.views["tumor"], turned.views["tumor"], patient)
        assert tumor in found_in(batch.views["slices"], turned.views["slices"], patient)
        seen[tumor] += 1
    assert set(seen) == {CUBE_ROTATIONS[0], half_turn}
    assert min(seen.values()) >= 10


@pytest.mark.parametrize(("view", "number"), [(OBLONG, 4), (SQUARE_SLICES, 4), (CUBE["tumor"], 24)])
def test_there_is_always_more_than_one_way(view, number):
    assert sum(allows(view, rotation) for rotation in CUBE_ROTATIONS) == number
    assert allows(view, CubeRotation((0, 1, 2), (1, -1, -1)))


def test_the_chance_is_that_of_a_draw_and_the_rotation_does_not_depend_on_it():
    batch = cubes(ROWS)
    often, seldom = (
        Augmentation([RightAngleRotation(probability=p)], seed=3, views=CUBE)(batch).views["tumor"]
        for p in (1.0, 0.3)
    )
    draws = batch_generators(batch, Purpose.RIGHT_ANGLE_ROTATION, seed=3)
    for patient, generator in enumerate(draws):
        generator.integers(24)
        expected = often if generator.random() < 0.3 else batch.views["tumor"]
        assert torch.equal(seldom.images[patient], expected.images[patient])
        assert torch.equal(seldom.regions[patient], expected.regions[patient])


def test_a_table_without_views_passes():
    batch = training_batch([1])
    batch.views = {}
    assert RightAngleRotation()(batch, generators(1), {}).views == {}

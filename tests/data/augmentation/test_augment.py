"""What all transforms have in common."""

import doctest
import sys

import numpy as np
import pytest
import torch
from batches import VIEWS, generators, training_batch

from mtl_hcc.data.augmentation import (
    BiasField,
    Flip,
    InPlaneRotation,
    IntensityScale,
    Noise,
    PhaseDropout,
    RightAngleRotation,
    Rotation3D,
    Scale,
    TimeJitter,
    Transform,
)
from mtl_hcc.data.augmentation.augment import Augmentation
from mtl_hcc.data.augmentation.rotation_3d import draw_rotations
from mtl_hcc.data.augmentation.spatial import SpatialTransform
from mtl_hcc.data.augmentation.time_jitter import draw_shifts
from mtl_hcc.data.augmentation.transform import IntensityTransform, may_change
from mtl_hcc.data.draws import Purpose, TrainingBatch, batch_generators, patient_generator
from mtl_hcc.errors import ConfigError

EVERY = [
    Rotation3D,
    InPlaneRotation,
    Flip,
    Scale,
    IntensityScale,
    Noise,
    BiasField,
    TimeJitter,
    PhaseDropout,
    RightAngleRotation,
]
SPATIAL = [kind for kind in EVERY if issubclass(kind, SpatialTransform | RightAngleRotation)]
INTENSITY = [kind for kind in EVERY if issubclass(kind, IntensityTransform)]
ROWS = [5, 6, 7, 8, 9, 10]


def augmented(batch, *transforms, seed=3):
    return Augmentation(transforms, seed=seed, views=VIEWS)(batch)


def tensors(batch):
    """Return every tensor of a batch by name."""
    seen = {
        f"{name}.{part}": getattr(view, part)
        for name, view in batch.views.items()
        for part in ("images", "regions", "phase_present", "slice_present")
    }
    return {**seen, **batch.targets}


def changed(before, after):
    """Return the names of the tensors that differ."""
    pairs = zip(tensors(before).items(), tensors(after).values(), strict=True)
    return {name for (name, one), other in pairs if not torch.equal(one, other)}


def test_an_empty_list_gives_the_batch_as_it_is():
    batch = training_batch([0, 1])
    result = augmented(batch)
    assert not isinstance(result, TrainingBatch)
    assert changed(batch, result) == set()


@pytest.mark.parametrize("kind", EVERY)
def test_with_probability_0_nothing_changes_and_with_1_something_does(kind):
    batch = training_batch(ROWS)
    assert changed(batch, augmented(batch, kind(probability=0.0))) == set()
    assert changed(batch, augmented(batch, kind(probability=1.0)))


@pytest.mark.parametrize("kind", EVERY)
def test_the_batch_that_is_given_stays_as_it_was(kind):
    batch = training_batch(ROWS)
    augmented(batch, kind(probability=0.5))
    assert changed(batch, training_batch(ROWS)) == set()


@pytest.mark.parametrize("kind", EVERY)
def test_a_patient_is_augmented_alike_in_any_batch_and_otherwise_in_another_round(kind):
    transform = kind(probability=0.7)
    together = tensors(augmented(training_batch(ROWS), transform))
    apart = tensors(augmented(training_batch([9, 5]), transform))
    later = tensors(augmented(training_batch(ROWS, round_=1), transform))
    for name, values in together.items():
        torch.testing.assert_close(values[4], apart[name][0], msg=name)
        torch.testing.assert_close(values[0], apart[name][1], msg=name)
    assert any(not torch.equal(values, later[name]) for name, values in together.items())


@pytest.mark.parametrize("kind", EVERY)
def test_types_shapes_events_and_the_range_of_intensities_are_kept(kind):
    batch = training_batch(ROWS)
    result = augmented(batch, kind(probability=0.8))
    assert torch.equal(result.targets["os_event"], batch.targets["os_event"])
    for name, values in tensors(result).items():
        assert values.dtype == tensors(batch)[name].dtype, name
        assert values.shape == tensors(batch)[name].shape, name
    for view in result.views.values():
        assert view.images.dtype == torch.float32
        assert 0 <= view.images.min() <= view.images.max() <= 1.0001
        assert view.regions.dtype == torch.uint8
        assert set(view.regions.unique().tolist()) <= set(range(10)), "bits are never mixed"


@pytest.mark.parametrize("kind", EVERY)
def test_missing_phases_and_padding_slices_stay_zero(kind):
    for view in augmented(training_batch(ROWS), kind(probability=1.0)).views.values():
        there = view.phase_present[:, :, None, None, None]
        there = (there & view.slice_present[:, None, :, None, None]).expand_as(view.images)
        assert (view.images[~there] == 0).all()
        assert (view.regions[~there] == 0).all()


@pytest.mark.parametrize("kind", INTENSITY)
def test_intensities_outside_the_kept_regions_stay_and_regions_too(kind):
    batch = training_batch(ROWS)
    result = augmented(batch, kind(most=0.5))
    for name, view in result.views.items():
        before, may = batch.views[name], may_change(batch.views[name], VIEWS[name])
        assert torch.equal(view.regions, before.regions)
        assert torch.equal(view.images[~may], before.images[~may])
        if VIEWS[name].keep == "regions":
            assert (view.images[before.regions == 0] == 0).all()
        assert (view.images != before.images)[may].float().mean() > 0.5


@pytest.mark.parametrize("kind", SPATIAL)
def test_all_phases_and_regions_of_a_patient_move_together(kind):
    one = training_batch([2])

    def first_phase_everywhere(tensor):
        return tensor[:, :1].expand_as(tensor).contiguous() if tensor.ndim == 5 else tensor

    one.views = {name: view.map(first_phase_everywhere) for name, view in one.views.items()}
    for view in augmented(one, kind()).views.values():
        for phase in (1, 2):
            assert torch.equal(view.images[:, 0], view.images[:, phase])
            assert torch.equal(view.regions[:, 0], view.regions[:, phase])


def test_two_of_a_kind_differ_and_others_in_the_list_change_no_draw():
    class Kept(TimeJitter):
        def __call__(self, batch, generators, views):
            self.drawn = [generator.random() for generator in generators]
            return batch

    alone, first, second = Kept(), Kept(), Kept()
    augmented(training_batch(ROWS), alone)
    augmented(training_batch(ROWS), Flip(), first, Noise(), second)
    assert first.drawn == alone.drawn
    assert not set(first.drawn) & set(second.drawn)


def test_draws_are_those_of_the_settings_before_there_was_a_list():
    batch = training_batch(ROWS)
    matrices = draw_rotations(batch_generators(batch, Purpose(1), seed=3))
    shifts = draw_shifts(batch_generators(batch, Purpose(2), seed=3), days=3.0)
    result = augmented(batch, TimeJitter(days=3), Rotation3D())
    torch.testing.assert_close(result.targets["os_days"], batch.targets["os_days"] + shifts)
    torch.testing.assert_close(
        Rotation3D().sources(batch_generators(batch, Purpose(1), seed=3)), matrices.mT
    )
    dropped = augmented(batch, PhaseDropout(probability=0.5)).views["tumor"].phase_present
    for patient, generator in enumerate(batch_generators(batch, Purpose(3), seed=3)):
        expected = batch.views["tumor"].phase_present[patient].clone()
        if generator.random() < 0.5:
            expected[generator.choice(expected.nonzero()[:, 0].tolist())] = False
        assert dropped[patient].tolist() == expected.tolist()


def test_the_numbers_of_a_visit_are_those_that_earlier_versions_drew():
    one = patient_generator(Purpose.ROTATION, seed=5, epoch=2, round_=1, index=7)
    philox = np.random.Philox(
        key=np.array([5, 1], dtype=np.uint64), counter=np.array([0, 7, 1, 2], dtype=np.uint64)
    )
    assert one.random() == np.random.Generator(philox).random()


@pytest.mark.parametrize("kind", EVERY)
def test_torch_s_own_random_numbers_are_left_alone(kind):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    augmented(training_batch(ROWS), kind(probability=0.9))
    assert torch.equal(torch.rand(3), expected[0])
    assert (np.random.rand(3) == expected[1]).all()


@pytest.mark.parametrize("kind", EVERY)
def test_a_chance_above_1_is_refused_with_the_transform_s_name(kind):
    with pytest.raises(ConfigError, match=rf"data.augmentation, {kind.__name__}: probability is 2"):
        kind(probability=2.0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (TimeJitter, {"days": -1}),
        (TimeJitter, {"days": 31}),
        (InPlaneRotation, {"degrees": 181}),
        (Scale, {"most": -0.1}),
        (Noise, {"most": 3}),
        (BiasField, {"order": 9}),
        (Flip, {"axes": ["w"]}),
        (Flip, {"axes": []}),
    ],
)
def test_other_settings_out_of_bounds_are_refused(kind, settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"{kind.__name__}: {name} is"):
        kind(**settings)


@pytest.mark.parametrize("kind", EVERY)
def test_the_example_on_its_page_runs(kind):
    done = doctest.testmod(sys.modules[kind.__module__])
    assert done.attempted
    assert not done.failed


def test_every_transform_has_a_stream_of_its_own():
    assert len({kind.purpose for kind in EVERY}) == len(EVERY) == len(Purpose)
    assert all(issubclass(kind, Transform) for kind in EVERY)
    assert generators(1)[0].random() == generators(1)[0].random()


CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ],
)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("kind", EVERY)
def test_on_any_device_a_patient_is_augmented_as_on_a_cpu(kind, device):
    transform = kind(probability=0.8)
    expected = tensors(augmented(training_batch(ROWS), transform))
    for name, values in tensors(augmented(training_batch(ROWS).to(device), transform)).items():
        assert values.device.type == device
        if name.endswith("regions"):  # a point midway between two may fall to either side
            assert (values.cpu() != expected[name]).float().mean() < 5e-3, name
        else:
            torch.testing.assert_close(values.cpu(), expected[name], atol=1e-4, rtol=0, msg=name)

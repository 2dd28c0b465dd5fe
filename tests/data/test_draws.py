import pickle

import numpy as np
import pytest
import torch

from mtl_hcc.data.draws import Purpose, TrainingBatch, batch_generators, patient_generator


def batch(index, draw) -> TrainingBatch:
    number = len(index)
    return TrainingBatch(
        patient_id=[f"P{row}" for row in index],
        center=["I"] * number,
        split=["train"] * number,
        index=torch.tensor(index),
        views={},
        covariates=None,
        targets={"mvi": torch.zeros(number)},
        draw=torch.tensor(draw),
    )


def test_the_draw_of_a_patient_does_not_depend_on_who_else_is_in_the_batch():
    together = batch([3, 8], [[2, 1], [2, 0]])
    alone = batch([8], [[2, 0]])
    values = [
        generator.random(5) for generator in batch_generators(together, Purpose.ROTATION, seed=1)
    ]
    (lone,) = batch_generators(alone, Purpose.ROTATION, seed=1)
    np.testing.assert_array_equal(values[1], lone.random(5))


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"epoch": 1}, {"round_": 1}, {"index": 1}, {"purpose": Purpose.TIME_JITTER}],
)
def test_each_part_of_the_key_gives_other_numbers(change):
    key = {"purpose": Purpose.ROTATION, "seed": 1, "epoch": 0, "round_": 0, "index": 0}
    first = patient_generator(key.pop("purpose"), **key).random(100)
    other = {"purpose": Purpose.ROTATION, **key, **change}
    second = patient_generator(other.pop("purpose"), **other).random(100)
    assert not np.isin(first, second).any()


def test_the_draws_travel_with_the_batch_and_are_left_behind_in_the_plain_one():
    moved = batch([3], [[2, 1]]).to("cpu", non_blocking=True)
    assert isinstance(moved, TrainingBatch)
    assert moved.draw.tolist() == [[2, 1]]
    assert pickle.loads(pickle.dumps(moved)).draw.tolist() == [[2, 1]]
    plain = moved.plain()
    assert not isinstance(plain, TrainingBatch)
    assert plain.patient_id == ["P3"]

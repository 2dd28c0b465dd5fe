import numpy as np
import torch

from mtl_hcc.data.phase_dropout import draw_dropped_phases, drop_phases


def generators(number):
    return [np.random.default_rng(seed) for seed in range(number)]


def test_one_present_phase_is_dropped_at_the_given_rate_and_each_equally_often():
    present = torch.tensor([True, True, False, True]).expand(4000, 4)
    dropped = draw_dropped_phases(generators(4000), present, probability=0.3)
    assert dropped.sum(1).max() == 1
    rates = dropped.float().mean(0)
    torch.testing.assert_close(rates, torch.tensor([0.1, 0.1, 0.0, 0.1]), atol=0.02, rtol=0)


def test_the_last_phase_is_never_dropped():
    present = torch.tensor([[False, True], [True, True]]).repeat(200, 1)
    dropped = draw_dropped_phases(generators(400), present, probability=1.0)
    left = present & ~dropped
    assert left.any(1).all()
    assert (dropped.sum(1) == torch.tensor([0, 1]).repeat(200)).all()


def test_a_dropped_phase_is_zero_and_absent_and_the_others_are_untouched():
    images = torch.rand(2, 3, 2, 2, 2)
    present = torch.ones(2, 3, dtype=torch.bool)
    dropped = torch.tensor([[False, True, False], [False, False, False]])
    regions = torch.full(images.shape, 5, dtype=torch.uint8)
    hidden, masked, left = drop_phases(images, regions, present, dropped)
    assert (hidden[0, 1] == 0).all()
    assert masked[:, :, 0, 0, 0].tolist() == [[5, 0, 5], [5, 5, 5]]
    assert torch.equal(hidden[0, [0, 2]], images[0, [0, 2]])
    assert torch.equal(hidden[1], images[1])
    assert left.tolist() == [[True, False, True], [True, True, True]]

"""Fusion: image and clinical vectors side by side, then fully connected blocks."""

import torch

from mtl_hcc.nn import FullyConnected


def parts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(6, width, generator=generator) for width in (3, 2)]


def test_without_blocks_the_embedding_is_the_concatenation():
    fusion = FullyConnected(5, widths=(), dropout=0.5)
    assert fusion.out_features == 5
    assert fusion(parts()).equal(torch.cat(parts(), dim=1))


def test_a_block_is_linear_then_elu():
    fusion = FullyConnected(5, widths=(4,), dropout=0.5).eval()
    linear = fusion.layers[0]
    expected = torch.nn.functional.elu(torch.cat(parts(), dim=1) @ linear.weight.T + linear.bias)
    torch.testing.assert_close(fusion(parts()), expected)


def test_each_width_adds_a_block_and_dropout_is_for_training_only():
    fusion = FullyConnected(5, widths=(8, 4), dropout=0.5, norm=True)
    assert fusion.out_features == 4
    torch.manual_seed(0)
    assert not fusion(parts()).equal(fusion(parts()))
    fusion.eval()
    assert fusion(parts()).equal(fusion(parts()))


def test_one_part_is_enough():
    assert FullyConnected(3, widths=(2,))(parts()[:1]).shape == (6, 2)

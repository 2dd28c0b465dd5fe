"""Fusion: image and clinical vectors, concatenated or through gates."""

import pytest
import torch

from mtl_hcc.nn import FullyConnected, GatedFusion

WIDTHS = (3, 2)
ALL = torch.ones(6, 2, dtype=torch.bool)


def parts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(6, width, generator=generator) for width in WIDTHS]


def test_without_blocks_the_embedding_is_the_concatenation():
    fusion = FullyConnected(WIDTHS, widths=(), dropout=0.5)
    assert fusion.out_features == 5
    assert fusion(parts(), ALL).equal(torch.cat(parts(), dim=1))


def test_a_block_is_linear_then_elu():
    fusion = FullyConnected(WIDTHS, widths=(4,), dropout=0.5).eval()
    linear = fusion.layers[0]
    expected = torch.nn.functional.elu(torch.cat(parts(), dim=1) @ linear.weight.T + linear.bias)
    torch.testing.assert_close(fusion(parts(), ALL), expected)


def test_each_width_adds_a_block_and_dropout_is_for_training_only():
    fusion = FullyConnected(WIDTHS, widths=(8, 4), dropout=0.5, norm=True)
    assert fusion.out_features == 4
    torch.manual_seed(0)
    assert not fusion(parts(), ALL).equal(fusion(parts(), ALL))
    fusion.eval()
    assert fusion(parts(), ALL).equal(fusion(parts(), ALL))


def test_with_a_skip_the_concatenation_stands_beside_the_last_block_and_is_never_dropped():
    torch.manual_seed(0)
    plain = FullyConnected(WIDTHS, widths=(8, 4), dropout=0.5)
    torch.manual_seed(0)
    wide = FullyConnected(WIDTHS, widths=(8, 4), dropout=0.5, skip=True)
    assert wide.out_features == 4 + 5
    assert wide.train()(parts(), ALL)[:, 4:].equal(torch.cat(parts(), dim=1))
    plain.eval(), wide.eval()
    expected = torch.cat([plain(parts(), ALL), *parts()], dim=1)
    assert wide(parts(), ALL).equal(expected), "the same weights under the same names"


def test_a_skip_without_blocks_says_nothing_twice():
    fusion = FullyConnected(WIDTHS, widths=(), skip=True)
    assert fusion.out_features == 5
    assert fusion(parts(), ALL).equal(torch.cat(parts(), dim=1))


@pytest.mark.parametrize("kind", [FullyConnected, GatedFusion])
def test_one_part_is_enough(kind: type):
    fusion = kind([3])
    assert fusion(parts()[:1], ALL[:, :1]).shape == (6, fusion.out_features)


def test_the_gated_sum_follows_its_equation():
    fusion = GatedFusion(WIDTHS, width=4).eval()
    x, together = parts(), torch.cat(parts(), dim=1)
    expected = sum(
        torch.sigmoid(fusion.gate[k](together)) * torch.tanh(fusion.content[k](x[k]))
        for k in range(2)
    )
    torch.testing.assert_close(fusion(x, ALL), expected)


@pytest.mark.parametrize("content", [0.0, 1e6, torch.nan])
def test_the_gate_of_a_missing_part_is_closed_and_no_other_sees_it(content: float):
    fusion, known = GatedFusion(WIDTHS, width=4).eval(), ALL.clone()
    known[0, 1] = False
    known[1] = False
    x = parts()
    x[1][0] = content
    x[1].requires_grad_()
    found = fusion(x, known)
    together = torch.cat([x[0][:1], torch.zeros(1, 2)], dim=1)
    alone = torch.sigmoid(fusion.gate[0](together)) * torch.tanh(fusion.content[0](x[0][:1]))
    torch.testing.assert_close(found[:1], alone)
    assert found[1].equal(torch.zeros(4)), "nothing is known"
    found.sum().backward()
    assert x[1].grad.isfinite().all()
    assert (x[1].grad[:2] == 0).all()
    assert all(p.grad is not None for p in fusion.parameters())

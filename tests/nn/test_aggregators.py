"""All exported aggregators: order, padding, one instance, none at all; and their equations."""

import inspect

import pytest
import torch
from torch import Tensor

import mtl_hcc.nn
from mtl_hcc.nn import Aggregator, Concatenate, GatedAttention, Mean

WIDTH, PHASES = 5, 3
EXPORTED = [
    part
    for part in vars(mtl_hcc.nn).values()
    if inspect.isclass(part) and issubclass(part, Aggregator) and part is not Aggregator
]
UNORDERED = [kind for kind in EXPORTED if kind is not Concatenate]


def bags() -> tuple[Tensor, Tensor]:
    """Four patients: all phases, two, one, none."""
    instances = torch.randn(4, PHASES, WIDTH, generator=torch.Generator().manual_seed(2))
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    return instances, present


def make(kind: type[Aggregator]) -> Aggregator:
    torch.manual_seed(0)
    aggregator = kind(WIDTH)
    if isinstance(aggregator, Concatenate):
        torch.nn.init.normal_(aggregator.missing)
    return aggregator


@pytest.mark.parametrize("kind", EXPORTED)
def test_gives_one_vector_for_each_patient(kind: type[Aggregator]):
    aggregator = make(kind)
    assert aggregator(*bags()).shape == (4, aggregator.out_features)


@pytest.mark.parametrize("kind", EXPORTED)
@pytest.mark.parametrize("content", [0.0, 1e6, torch.nan, torch.inf])
def test_what_stands_in_a_missing_phase_does_not_matter(kind: type[Aggregator], content: float):
    aggregator, (instances, present) = make(kind), bags()
    other = torch.where(present[..., None], instances, content).requires_grad_()
    result = aggregator(other, present)
    torch.testing.assert_close(result, aggregator(instances, present))
    result.sum().backward()
    assert (other.grad[~present] == 0).all()
    assert other.grad.isfinite().all()


@pytest.mark.parametrize("kind", EXPORTED)
def test_a_patient_without_any_phase_is_finite_and_keeps_the_graph(kind: type[Aggregator]):
    aggregator, (instances, present) = make(kind), bags()
    result = aggregator(instances.requires_grad_(), torch.zeros_like(present))
    assert result.isfinite().all()
    result.sum().backward()
    assert instances.grad.equal(torch.zeros_like(instances))


@pytest.mark.parametrize("kind", UNORDERED)
def test_the_order_of_the_instances_does_not_matter(kind: type[Aggregator]):
    aggregator, (instances, present) = make(kind), bags()
    order = torch.tensor([2, 0, 1])
    expected = aggregator(instances, present)
    torch.testing.assert_close(aggregator(instances[:, order], present[:, order]), expected)


@pytest.mark.parametrize("kind", UNORDERED)
def test_padding_does_not_matter(kind: type[Aggregator]):
    aggregator, (instances, present) = make(kind), bags()
    padded = torch.cat([instances, torch.full((4, 2, WIDTH), torch.nan)], dim=1)
    mask = torch.cat([present, torch.zeros(4, 2, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(aggregator(padded, mask), aggregator(instances, present))


@pytest.mark.parametrize("kind", UNORDERED)
def test_a_single_instance_is_its_own_aggregate(kind: type[Aggregator]):
    aggregator, (instances, present) = make(kind), bags()
    torch.testing.assert_close(aggregator(instances, present)[2], instances[2, 1])


def test_the_mean_is_over_the_present_phases():
    instances, present = bags()
    result = Mean(WIDTH)(instances, present)
    torch.testing.assert_close(result[0], instances[0].mean(0))
    torch.testing.assert_close(result[1], (instances[1, 0] + instances[1, 2]) / 2)
    assert result[3].equal(torch.zeros(WIDTH))


def test_concatenation_keeps_the_order_and_puts_a_learned_vector_for_a_missing_phase():
    aggregator, (instances, present) = make(Concatenate), bags()
    result = aggregator(instances, present)
    torch.testing.assert_close(result[0], instances[0].flatten())
    expected = torch.cat([instances[1, 0], aggregator.missing[1], instances[1, 2]])
    torch.testing.assert_close(result[1], expected)
    result.sum().backward()
    assert aggregator.missing.grad[:, 0].tolist() == [2, 2, 2]  # how often each was missing


def test_concatenation_made_for_other_phases_names_the_setting():
    with pytest.raises(
        ValueError, match=r"4 phases .* made for 3; set model\.aggregator\.init_args"
    ):
        make(Concatenate)(torch.zeros(1, 4, WIDTH), torch.ones(1, 4, dtype=torch.bool))


def test_attention_sums_to_one_over_the_present_instances():
    aggregator, (instances, present) = make(GatedAttention), bags()
    attention = aggregator.attention(instances, present)
    torch.testing.assert_close(attention.sum(1), torch.ones(4))
    assert (attention[:3][~present[:3]] == 0).all()


def test_attention_follows_its_equation():
    aggregator, (instances, present) = make(GatedAttention), bags()
    x = instances[0]
    v, u, w = aggregator.content, aggregator.gate, aggregator.score
    score = [w(torch.tanh(v(x[i])) * torch.sigmoid(u(x[i]))) for i in range(PHASES)]
    a = torch.softmax(torch.cat(score), dim=0)
    expected = sum(a[i] * x[i] for i in range(PHASES))
    torch.testing.assert_close(aggregator(instances, present)[0], expected)

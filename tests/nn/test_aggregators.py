"""All exported aggregators: order, padding, one instance, none at all; and their equations."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import mtl_hcc.nn
from mtl_hcc.nn import (
    Aggregator,
    Attention,
    Bag,
    Concatenate,
    GatedAttention,
    Max,
    Mean,
    Nested,
    Transformer,
)

WIDTH, PHASES = 5, 3
EXPORTED = {
    name: part
    for name, part in vars(mtl_hcc.nn).items()
    if inspect.isclass(part) and issubclass(part, Aggregator) and part is not Aggregator
}
MADE: dict[str, Callable[[int], Aggregator]] = EXPORTED | {
    "Transformer": lambda width: Transformer(width, width=16, dropout=0.0),
    "Nested": lambda width: Nested(width, within=GatedAttention, over=GatedAttention),
    "Nested, Concatenate": lambda width: Nested(width, within=GatedAttention, over=Concatenate),
}
UNORDERED = [name for name in MADE if name != "Concatenate"]
WEIGHTED = ["Attention", "GatedAttention", "Nested"]


def bags(*, slices: int = 1) -> Bag:
    """Four patients: all phases, two, one, none; so many slices of each phase."""
    generator = torch.Generator().manual_seed(2)
    shape = (4, PHASES * slices)
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    return Bag(
        features=torch.randn(*shape, WIDTH, generator=generator),
        present=present.repeat_interleave(slices, dim=1),
        phase=torch.arange(PHASES).repeat_interleave(slices).expand(shape),
        place_mm=10 * torch.rand(shape, generator=generator),
        phases=PHASES,
    )


def changed(bag: Bag, change: Callable[[Tensor], Tensor]) -> Bag:
    tensors = (bag.features, bag.present, bag.phase, bag.place_mm)
    return Bag(*map(change, tensors), bag.phases)


def make(name: str) -> Aggregator:
    torch.manual_seed(0)
    aggregator = MADE[name](WIDTH)
    for part in aggregator.modules():
        if isinstance(part, Concatenate):
            torch.nn.init.normal_(part.missing)
    return aggregator


def bag_for(name: str) -> Bag:
    return bags(slices=1 if name == "Concatenate" else 4)


@pytest.mark.parametrize("name", MADE)
def test_gives_one_vector_for_each_patient_and_gradients_for_every_weight(name: str):
    aggregator = make(name)
    bag = bag_for(name)
    found = aggregator(bag.with_features(bag.features.requires_grad_()))
    assert found.shape == (4, aggregator.out_features)
    (found * torch.randn_like(found)).sum().backward()
    assert [n for n, p in aggregator.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("content", [0.0, 1e6, torch.nan, torch.inf])
def test_what_stands_in_an_absent_instance_does_not_matter(name: str, content: float):
    aggregator, bag = make(name), bag_for(name)
    other = torch.where(bag.present[..., None], bag.features, content).requires_grad_()
    result = aggregator(bag.with_features(other))
    torch.testing.assert_close(result, aggregator(bag))
    result.square().sum().backward()
    assert (other.grad[~bag.present] == 0).all()
    assert other.grad.isfinite().all()


@pytest.mark.parametrize("name", MADE)
def test_a_patient_without_any_instance_is_finite_and_keeps_the_graph(name: str):
    aggregator, bag = make(name), bag_for(name)
    features = bag.features.requires_grad_()
    result = aggregator(bag.only(torch.zeros_like(bag.present)))
    assert result.isfinite().all()
    result.sum().backward()
    assert features.grad.equal(torch.zeros_like(features))


@pytest.mark.parametrize("name", UNORDERED)
def test_the_order_of_the_instances_does_not_matter(name: str):
    aggregator, bag = make(name), bag_for(name)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    turned = changed(bag, lambda tensor: tensor[:, order])
    torch.testing.assert_close(aggregator(turned), aggregator(bag))


@pytest.mark.parametrize("name", UNORDERED)
def test_padding_does_not_matter(name: str):
    aggregator, bag = make(name), bag_for(name)

    def padded(tensor: Tensor) -> Tensor:
        content = torch.nan if tensor.dim() == 3 else 0
        return torch.cat([tensor, torch.full_like(tensor[:, :2], content)], dim=1)

    torch.testing.assert_close(aggregator(changed(bag, padded)), aggregator(bag))


@pytest.mark.parametrize("name", ["Mean", "Max", "Attention", "GatedAttention", "Nested"])
def test_a_single_instance_is_its_own_aggregate(name: str):
    bag = bags()
    torch.testing.assert_close(make(name)(bag)[2], bag.features[2, 1])


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_nearly_the_same(name: str, dtype: torch.dtype):
    aggregator, bag = make(name).eval(), bag_for(name)
    with torch.no_grad():
        expected = aggregator(bag)
        found = aggregator.to(dtype)(bag.with_features(bag.features.to(dtype)))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)


def test_the_mean_and_the_maximum_are_those_of_the_present_instances():
    bag = bags()
    x = bag.features
    mean, largest = Mean(WIDTH)(bag), Max(WIDTH)(bag)
    torch.testing.assert_close(mean[0], x[0].mean(0))
    torch.testing.assert_close(mean[1], (x[1, 0] + x[1, 2]) / 2)
    torch.testing.assert_close(largest[1], torch.maximum(x[1, 0], x[1, 2]))
    assert mean[3].equal(torch.zeros(WIDTH))
    assert largest[3].equal(torch.zeros(WIDTH))


def test_concatenation_keeps_the_order_and_puts_a_learned_vector_for_a_missing_phase():
    aggregator, bag = make("Concatenate"), bags()
    result = aggregator(bag)
    torch.testing.assert_close(result[0], bag.features[0].flatten())
    expected = torch.cat([bag.features[1, 0], aggregator.missing[1], bag.features[1, 2]])
    torch.testing.assert_close(result[1], expected)
    result.sum().backward()
    assert aggregator.missing.grad[:, 0].tolist() == [2, 2, 2]  # how often each was missing


def test_aggregators_made_for_other_phases_name_the_setting():
    bag = Bag(torch.zeros(1, 4, WIDTH), *[torch.zeros(1, 4, dtype=torch.long)] * 3, phases=4)
    for name in ("Concatenate", "Transformer"):
        with pytest.raises(ValueError, match=r"4 phases .* made for 3; set aggregator\.init_args"):
            make(name)(bag.only(bag.phase == 0))


@pytest.mark.parametrize("name", WEIGHTED)
def test_attention_sums_to_one_over_the_present_instances(name: str):
    bag = bag_for(name)
    attention = make(name).attention(bag)
    torch.testing.assert_close(attention[:3].sum(1), torch.ones(3))
    assert (attention[:3][~bag.present[:3]] == 0).all()
    assert attention.isfinite().all()


@pytest.mark.parametrize("name", [name for name in MADE if name not in WEIGHTED])
def test_others_have_no_attention(name: str):
    assert make(name).attention(bag_for(name)) is None


@pytest.mark.parametrize("kind", [Attention, GatedAttention])
def test_attention_follows_its_equation(kind: type[Attention]):
    torch.manual_seed(0)
    aggregator, bag = kind(WIDTH), bags()
    x, v, w = bag.features[0], aggregator.content, aggregator.score
    gates = [
        torch.sigmoid(aggregator.gate(x[i])) if kind is GatedAttention else 1 for i in range(3)
    ]
    a = torch.softmax(torch.cat([w(torch.tanh(v(x[i])) * gates[i]) for i in range(3)]), dim=0)
    expected = sum(a[i] * x[i] for i in range(PHASES))
    torch.testing.assert_close(aggregator(bag)[0], expected)


def test_one_within_another_joins_the_slices_of_a_phase_and_then_the_phases():
    aggregator, bag = make("Nested"), bags(slices=4)
    phases = []
    for number in range(PHASES):
        phases.append(aggregator.within(bag.only(bag.phase == number)))
    of_phases = Bag(
        torch.stack(phases, 1),
        bag.present[:, ::4],
        *(tensor[:, ::4] for tensor in (bag.phase, bag.place_mm)),
        PHASES,
    )
    torch.testing.assert_close(aggregator(bag), aggregator.over(of_phases))
    attention = aggregator.attention(bag)
    expected = aggregator.over.attention(of_phases)  # what each phase got
    torch.testing.assert_close(attention[:3].unflatten(1, (3, 4)).sum(2), expected[:3])
    weighted = torch.einsum("pi,pif->pf", attention, bag.zeroed)
    torch.testing.assert_close(weighted[:3], aggregator(bag)[:3])


def test_a_mean_over_phases_weighs_the_present_ones_alike():
    aggregator = Nested(WIDTH, within=GatedAttention, over=Mean)
    sums = aggregator.attention(bags(slices=4)).unflatten(1, (3, 4)).sum(2)
    torch.testing.assert_close(sums[:2], torch.tensor([[1 / 3] * 3, [0.5, 0, 0.5]]))


def test_concatenation_cannot_stand_within_a_phase():
    with pytest.raises(ValueError, match=r"aggregator\.within is Concatenate"):
        Nested(WIDTH, within=Concatenate, over=Mean)


def test_a_transformer_knows_phase_and_place():
    aggregator, bag = make("Transformer").eval(), bags(slices=2)
    moved = Bag(bag.features, bag.present, bag.phase, bag.place_mm.flip(1), PHASES)
    other = Bag(bag.features, bag.present, bag.phase.flip(1), bag.place_mm, PHASES)
    first = aggregator(bag)[0]
    assert not torch.allclose(aggregator(moved)[0], first, atol=1e-4)
    assert not torch.allclose(aggregator(other)[0], first, atol=1e-4)

"""ImageEncoder: absent instances leave no trace, chunks change nothing, misfits are refused."""

from dataclasses import replace

import pytest
import torch
from one_view import view_batch
from torch import nn

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn import (
    AxialSlices,
    Concatenate,
    DenseNet,
    EncoderParts,
    GatedAttention,
    ImageEncoder,
    InstanceMaker,
    Mean,
    Nested,
    PlainStem,
    RegionStem,
    SliceCombinations,
)

PATIENTS, PHASES, DEPTH, EDGE = 3, 3, 6, 16
MAKERS: dict[str, InstanceMaker] = {
    "slices": AxialSlices(neighbors=1),
    "slices of the tumor": AxialSlices(neighbors=1, of=["tumor"]),
    "combinations": SliceCombinations(),
}


def view(*, seed: int = 0) -> ViewBatch:
    """Three patients: all there, a phase missing, nothing there; slices that pad."""
    generator = torch.Generator().manual_seed(seed)
    shape = (PATIENTS, PHASES, DEPTH, EDGE, EDGE)
    images = torch.rand(shape, generator=generator)
    regions = torch.ones(shape, dtype=torch.uint8)
    regions[:, :, 1:4, 4:9, 4:9] |= 2 + 4
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 0]], dtype=torch.bool)
    seen = view_batch(images, regions, present)
    seen.slice_present[1, 4:] = False
    return seen


def encoder(
    instances: InstanceMaker, *, norm: str = "batch", chunk: int | None = None, dropout: float = 0.0
) -> ImageEncoder:
    torch.manual_seed(0)
    return EncoderParts(
        instances=instances,
        stem=lambda channels: RegionStem(channels, out_channels=4, dimensions="2d"),
        backbone=lambda channels: DenseNet(
            channels, growth_rate=4, layers=(1, 1), norm=norm, dropout=dropout, dimensions="2d"
        ),
        aggregator=GatedAttention,
        instances_per_chunk=chunk,
    ).build("tumor")


def results(network: ImageEncoder, seen: ViewBatch) -> tuple:
    torch.manual_seed(3)
    found = network(seen)
    found.square().sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    return found.detach(), gradients, network.state_dict()


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("content", [100.0, torch.nan])
def test_what_stands_in_absent_phases_and_slices_leaves_no_trace(maker, content: float):
    seen, other = view(), view()
    absent = ~(seen.phase_present[:, :, None] & seen.slice_present[:, None])
    other.images[absent] = content
    other.regions[absent] = 255
    one = results(encoder(maker).train(), seen)
    torch.testing.assert_close(results(encoder(maker).train(), other), one, rtol=0, atol=0)
    assert all(gradient.isfinite().all() for gradient in one[1].values())


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_batch_without_any_instance_is_finite_and_keeps_every_weight(maker):
    seen = view()
    seen = replace(seen, phase_present=torch.zeros_like(seen.phase_present))
    seen.images[:] = torch.nan
    _, gradients, state = results(encoder(maker).train(), seen)
    assert all(gradient is not None for gradient in gradients.values())
    assert all((g == 0).all() for name, g in gradients.items() if "aggregator" not in name)
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_only_present_instances_go_through_the_backbone():
    network, counts = encoder(MAKERS["slices of the tumor"]), []
    network.backbone.register_forward_hook(lambda m, i, output: counts.append(len(output)))
    network(view())
    assert counts == [3 * 3 + 2 * 3]
    network = encoder(MAKERS["combinations"])
    network.backbone.register_forward_hook(lambda m, i, output: counts.append(len(output)))
    network(view())
    assert counts[1] == 3 * 3 + 2 * 3, "each slice once, not 27 combinations"


@pytest.mark.parametrize("norm", ["instance", "group"])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_give_the_same_output_and_gradient(norm: str, chunk: int):
    maker = MAKERS["slices"]
    seen = view()
    seen.images = seen.images.double()
    whole = results(encoder(maker, norm=norm).double(), seen)
    parts = encoder(maker, norm=norm, chunk=chunk).double()
    sizes = []
    parts.backbone.register_forward_hook(lambda m, i, output: sizes.append(len(output)))
    torch.testing.assert_close(results(parts, seen), whole, rtol=1e-5, atol=1e-9)
    assert max(sizes) <= chunk
    with torch.no_grad():
        torch.testing.assert_close(parts.eval()(seen), whole[0], rtol=1e-5, atol=1e-9)


def test_dropout_draws_the_same_again_when_a_chunk_is_computed_anew():
    """The output is linear in the last layer's weights: its gradient shows what was dropped."""

    class Dropped(nn.Module):
        out_features, dimensions, norm = 8, "2d", "instance"

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.layer = nn.Linear(channels, 8, bias=False)
            self.drop = nn.Dropout(0.5)
            self.kept: list[torch.Tensor] = []

        def forward(self, features, regions=None):
            vectors = self.drop(features.mean((2, 3)))
            self.kept.append(vectors.detach())
            return self.layer(vectors)

    network = EncoderParts(
        instances=AxialSlices(),
        stem=lambda channels: PlainStem(channels, out_channels=4, dimensions="2d"),
        backbone=Dropped,
        aggregator=Mean,
        instances_per_chunk=5,
    ).build("tumor")
    network(view()).sum().backward()
    kept = network.backbone.kept
    chunks = len(kept) // 2
    assert chunks == 6
    for first, again in zip(kept[:chunks], reversed(kept[chunks:]), strict=True):
        assert first.equal(again)


def parts(**changes) -> EncoderParts:
    given = {
        "instances": AxialSlices(),
        "stem": lambda channels: PlainStem(channels, out_channels=4, dimensions="2d"),
        "backbone": lambda channels: DenseNet(channels, layers=(1,), dimensions="2d"),
        "aggregator": Mean,
    }
    return EncoderParts(**given | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stem": PlainStem}, r"encoders\.tumor\.stem works in 3d, but AxialSlices are 2d: set"),
        ({"backbone": DenseNet}, r"backbone works in 3d, but AxialSlices are 2d"),
        ({"instances": None}, r"stem works in 2d, but Volumes are 3d"),
        ({"aggregator": Concatenate}, r"Concatenate takes one vector for each phase, but AxialSl"),
        ({"instances_per_chunk": 0}, r"instances_per_chunk is 0"),
        ({"instances_per_chunk": 8}, r"with a batch norm.*Set norm to group or instance"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message: str):
    with pytest.raises(ValueError, match=message):
        parts(**changes).build("tumor")


def test_concatenation_over_phases_fits_one_vector_for_each():
    network = parts(aggregator=lambda width: Nested(width, within=Mean, over=Concatenate)).build(
        "tumor"
    )
    found = network(view())
    assert found.shape == (PATIENTS, 3 * network.backbone.out_features)
    bag = network.bag(view())
    torch.testing.assert_close(found[0].unflatten(0, (3, -1))[1], bag.features[0, 6:12].mean(0))


def of_volumes(*, norm: str, channels_last: bool = True) -> ImageEncoder:
    """Return an encoder of volumes, or the same with kernels and maps as torch lays them out."""
    torch.manual_seed(0)
    network = EncoderParts(
        stem=lambda channels: RegionStem(channels, out_channels=4),
        backbone=lambda c: DenseNet(c, growth_rate=4, layers=(1, 2), norm=norm),
        aggregator=Concatenate,
    ).build("tumor")
    if not channels_last:
        network.channels_last = False
        for part in network.parameters():
            part.data = part.data.contiguous()
    return network.double()


def volumes(*, phases: int = PHASES) -> ViewBatch:
    generator = torch.Generator().manual_seed(0)
    shape = (2 if phases == PHASES else 1, PHASES, EDGE, EDGE, EDGE)
    images = torch.rand(shape, generator=generator).double()
    regions = torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8)
    present = (torch.arange(PHASES) < phases).expand(shape[:2])
    return view_batch(images, regions, present)


@pytest.mark.parametrize("phases", [PHASES, 1])
@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_the_layout_in_memory_changes_neither_output_nor_gradient(norm: str, phases: int):
    seen = volumes(phases=phases)
    plain = results(of_volumes(norm=norm, channels_last=False), seen)
    found = results(of_volumes(norm=norm), seen)
    torch.testing.assert_close(found, plain, rtol=1e-9, atol=1e-9)


def test_kernels_lie_channels_last_and_weights_of_either_layout_load():
    network, plain = of_volumes(norm="batch"), of_volumes(norm="batch", channels_last=False)
    kernels = [part for part in network.parameters() if part.dim() == 5]
    last = torch.channels_last_3d
    assert len(kernels) > 5
    assert all(kernel.is_contiguous(memory_format=last) for kernel in kernels)
    assert list(network.state_dict()) == list(plain.state_dict())
    for one, other in ((network, plain), (plain, network)):
        with torch.no_grad():
            other.stem.convolution.weight.add_(1)
        one.load_state_dict(other.state_dict())
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)
    assert all(kernel.is_contiguous(memory_format=last) for kernel in kernels)


def test_maps_reach_the_backbone_channels_last():
    network, seen = of_volumes(norm="batch"), []
    network.backbone.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    network(volumes())
    assert seen[0].is_contiguous(memory_format=torch.channels_last_3d)
    assert not seen[0].is_contiguous()


def test_on_a_processor_mixed_precision_leaves_convolutions_in_float32():
    """torch's bfloat16 convolutions are wrong there for some small maps (pytorch#169688)."""
    network = encoder(AxialSlices()).eval()
    expected = network.bag(view()).features
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network.bag(view()).features
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)

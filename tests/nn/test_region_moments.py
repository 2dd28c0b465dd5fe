"""What is measured of the image itself, and how it stands beside what the backbone sees."""

import numpy as np
import pytest
import torch
from one_view import view_batch

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn import (
    AxialSlices,
    Concatenate,
    CoxHead,
    DenseNet,
    EncoderParts,
    FullyConnected,
    GatedAttention,
    PlainStem,
    RegionMoments,
    build_network,
)
from mtl_hcc.nn.region_pooling import masks_of
from mtl_hcc.regions import region_bits

BITS = region_bits()


def a_liver_with_a_tumor(seed: int = 0):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0.2, 0.8, (2, 1, 12, 12, 12)).astype(np.float32)
    bits = np.full(images.shape, BITS["liver"], np.uint8)
    bits[0, :, 2:6, 2:6, 2:6] |= BITS["tumor"]  # the second patient has none drawn
    return torch.from_numpy(images), torch.from_numpy(bits)


def test_moments_are_those_of_numpy():
    images, bits = a_liver_with_a_tumor()
    moments = RegionMoments(regions=("background_liver", "tumor"))
    found = moments.measure(images, RegionMaps(bits, BITS), torch.tensor([0.008, 0.008])).numpy()
    tumor = (bits[0].numpy() & BITS["tumor"]) > 0
    inside, outside = images[0].numpy()[tumor], images[0].numpy()[~tumor]
    expected = [
        outside.mean(),
        inside.mean() - outside.mean(),
        outside.std(),
        inside.std(),
        np.log1p(0.008 * outside.size),
        np.log1p(0.008 * inside.size),
    ]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1, [1, 3, 5]], 0)  # an empty region


def test_moments_are_standardized_by_all_training_instances_and_by_no_other():
    random = torch.Generator().manual_seed(0)
    numbers = 5 + 3 * torch.randn(60, 6, generator=random)
    moments = RegionMoments(regions=("liver", "tumor"), against=None)
    for part in numbers.split([7, 1, 22, 30]):
        last = moments(part)
    torch.testing.assert_close(moments.mean, numbers.mean(0))
    torch.testing.assert_close(moments.variance, numbers.var(0, unbiased=False))
    expected = (numbers[30:] - numbers.mean(0)) / numbers.std(0, unbiased=False)
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-4)
    moments.eval()
    moments(torch.full((3, 6), 99.0))
    assert moments.count == 60


@pytest.mark.parametrize("against", ["margin", "nowhere"])
def test_what_the_means_are_taken_against_is_one_of_the_regions(against: str):
    with pytest.raises(ValueError, match=f"moments.against is {against}"):
        RegionMoments(regions=("tumor",), against=against)


def encoder(**changed):
    parts = {
        "stem": lambda channels: PlainStem(channels, out_channels=4),
        "backbone": lambda channels: DenseNet(channels, growth_rate=4, layers=(1,)),
        "aggregator": lambda width: Concatenate(width, phases=1),
        "moments": RegionMoments(regions=("background_liver", "tumor")),
    }
    torch.manual_seed(0)
    return EncoderParts(**(parts | changed)).build("tumor")


def test_moments_stand_beside_the_vector_of_the_backbone():
    images, bits = a_liver_with_a_tumor()
    network = encoder().eval()
    view = view_batch(images, bits)
    found = network(view)
    assert found.shape == (2, network.out_features)
    voxel_ml = view.spacing_mm.prod(1) / 1000
    expected = network.moments(network.moments.measure(images, view.region_maps, voxel_ml))
    torch.testing.assert_close(found[:, -6:], expected)
    torch.testing.assert_close(found[:, :-6], encoder(moments=None).eval()(view))


def test_moments_of_a_long_bag_are_the_same_in_chunks():
    images, bits = a_liver_with_a_tumor()
    flat = {
        "instances": AxialSlices(),
        "stem": lambda channels: PlainStem(channels, out_channels=4, dimensions="2d"),
        "backbone": lambda channels: DenseNet(
            channels, growth_rate=4, layers=(1,), norm="group", dimensions="2d"
        ),
        "aggregator": GatedAttention,
    }
    view = view_batch(images, bits)
    whole, chunked = encoder(**flat), encoder(**flat, instances_per_chunk=5)
    torch.testing.assert_close(chunked(view), whole(view))
    torch.testing.assert_close(chunked.moments.variance, whole.moments.variance)
    assert chunked.moments.count == 24


def test_the_middle_slice_is_measured():
    images = torch.rand(3, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    bits = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    moments = RegionMoments(regions=("margin", "background_liver"), against=None)
    found = moments.measure(images, RegionMaps(bits, BITS), torch.full((3,), 0.5))
    masks = masks_of(moments.regions, RegionMaps(bits, BITS))
    inside = [images[0, 2][masks[0, region] > 0] for region in range(2)]
    expected = [one.mean() for one in inside] + [one.std(unbiased=False) for one in inside]
    torch.testing.assert_close(found[0, :4], torch.stack(expected))


@pytest.mark.parametrize("width", [1, 3])
def test_a_projection_is_silent_at_first_and_leaves_the_draws_of_other_parts_alone(width: int):
    images, bits = a_liver_with_a_tumor()
    view = view_batch(images, bits)
    plain, narrow = encoder().eval(), encoder(width=width).eval()
    assert narrow.out_features == width + 6
    found = narrow(view)
    assert (found[:, :width] == 0).all()
    torch.testing.assert_close(found[:, width:], plain(view)[:, -6:], rtol=0, atol=0)
    for name, weight in plain.backbone.named_parameters():
        assert weight.equal(narrow.backbone.get_parameter(name)), name
    torch.manual_seed(0)
    encoder()
    expected = torch.rand(3)
    encoder(width=width)
    assert torch.rand(3).equal(expected)


def test_a_projection_is_linear_and_learns_from_the_first_step():
    images, bits = a_liver_with_a_tumor()
    view = view_batch(images, bits)
    plain, narrow = encoder().eval(), encoder(width=2).eval()
    narrow(view)[:, :2].sum().backward()
    seen = plain(view)[:, :-6]
    torch.testing.assert_close(narrow.projection.weight.grad, seen.sum(0).expand(2, -1))
    assert all((p.grad == 0).all() for p in narrow.backbone.parameters()), "one step later"
    with torch.no_grad():
        narrow.projection.weight += 0.5
    torch.testing.assert_close(narrow(view)[:, :2], 0.5 * seen.sum(1, keepdim=True).expand(2, 2))


def test_a_network_with_a_projection_begins_as_one_of_the_moments_alone():
    images, bits = a_liver_with_a_tumor()
    view = view_batch(images, bits)
    torch.manual_seed(0)
    parts = EncoderParts(
        stem=lambda channels: PlainStem(channels, out_channels=4),
        backbone=lambda channels: DenseNet(channels, growth_rate=4, layers=(1,)),
        aggregator=lambda width: Concatenate(width, phases=1),
        moments=RegionMoments(regions=("background_liver", "tumor")),
        width=2,
    )
    heads = {"os": lambda width: CoxHead(width, endpoint="os")}
    fusion = lambda widths: FullyConnected(widths, widths=())  # noqa: E731
    network = build_network(heads, fusion, {"tumor": parts}, None, []).eval()
    image = network.encoder("tumor")
    moments = image(view)[:, 2:]
    expected = moments @ network.heads["os"].layer.weight[:, 2:].T
    torch.testing.assert_close(network.heads["os"](image(view)), expected)


@pytest.mark.parametrize("width", [0, -2])
def test_a_width_below_1_is_refused(width: int):
    with pytest.raises(ValueError, match=rf"model\.encoders\.tumor\.width is {width}; expected 1"):
        encoder(width=width)

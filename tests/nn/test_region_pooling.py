"""Where the means over regions are taken, and what is measured of the image itself."""

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from one_view import view_batch

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn import (
    AxialSlices,
    Concatenate,
    DenseNet,
    EncoderParts,
    GatedAttention,
    PlainStem,
    RegionMoments,
)
from mtl_hcc.nn.region_pooling import (
    in_blocks,
    masks_of,
    region_means,
    through_layer,
    through_stem,
)
from mtl_hcc.regions import region_bits

BITS = region_bits()


def test_a_region_mean_is_the_mean_over_the_region_whatever_its_size():
    features = torch.randn(2, 3, 4, 4, 4)
    shares = torch.zeros(2, 1, 4, 4, 4)
    shares[0, :, 0, 0, 0] = 0.5  # half of one cell
    shares[1, :, :, :2] = 1  # and here half of the map
    mean = region_means(features, shares)
    torch.testing.assert_close(mean[0, 0], features[0, :, 0, 0, 0])
    torch.testing.assert_close(mean[1, 0], features[1, :, :, :2].mean(dim=(1, 2, 3)))


def test_an_absent_region_gives_zeros_and_finite_gradients():
    features = torch.randn(1, 3, 4, 4, 4, requires_grad=True)
    mean = region_means(features, torch.zeros(1, 2, 4, 4, 4))
    mean.sum().backward()
    assert (mean == 0).all()
    assert (features.grad == 0).all()


def coordinate_maps(edge: int) -> tuple[torch.Tensor, MonaiDenseNet]:
    """Return where each voxel lies, (1, axis, depth, height, width), and layers to pass it on."""
    axis = torch.arange(edge, dtype=torch.float32)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))[None], MonaiDenseNet(
        spatial_dims=3, in_channels=3, out_channels=1, init_features=3, growth_rate=2,
        block_config=(1, 1),
    )  # fmt: skip


@pytest.mark.parametrize("edge", [31, 32, 48])
def test_the_mean_place_of_a_region_is_its_middle_on_coarse_maps(edge: int):
    places, network = coordinate_maps(edge)
    pool, average = network.features.pool0, network.features.transition1.pool
    mask = torch.zeros(1, 1, edge, edge, edge)
    mask[..., 8:19, 10:17, 12:21] = 1
    middle = torch.tensor([13.0, 13.0, 16.0])
    # A convolution of stride 2 with padding 1 looks at every second voxel; so does a maximum.
    coarse = places[..., ::2, ::2, ::2]
    shares = through_stem(mask, coarse)
    assert shares.shape[2:] == coarse.shape[2:]
    coarser = coarse[..., ::2, ::2, ::2]
    assert pool(coarse).shape == coarser.shape
    strided = through_layer(shares, pool)
    torch.testing.assert_close(region_means(coarse, shares)[0, 0], middle, atol=0.2, rtol=0)
    torch.testing.assert_close(region_means(coarser, strided)[0, 0], middle, atol=0.4, rtol=0)
    averaged = average(coarser)
    behind = through_layer(strided, network.features.transition1)
    torch.testing.assert_close(region_means(averaged, behind)[0, 0], middle, atol=0.6, rtol=0)
    if edge == 48:  # blocks lie beside what the layers look at
        blocks = in_blocks(mask, coarser)
        off = middle - region_means(coarser, blocks)[0, 0]
        torch.testing.assert_close(off, torch.full((3,), 1.5), atol=0.3, rtol=0)


def test_means_are_float32_where_half_precision_overflows():
    features = torch.full((1, 1, 32, 32, 32), 60.0, dtype=torch.float16)
    mean = region_means(features, torch.ones(1, 1, 32, 32, 32))
    assert mean.dtype == torch.float32
    assert mean.item() == pytest.approx(60)


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


def test_the_middle_slice_of_an_instance_is_measured():
    bits = torch.full((1, 3, 4, 4), BITS["liver"], dtype=torch.uint8)
    bits[:, 1, :2] |= BITS["tumor"]
    bits[:, 0] = 0
    masks = masks_of(("tumor", "liver"), RegionMaps(bits, BITS))
    assert masks.sum((2, 3)).tolist() == [[8.0, 16.0]]

"""2D networks on volumes: slices do not mix, and each gets what a 2D network would give it."""

import pytest
import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from torch import Tensor
from torch.nn import functional

from mtl_hcc.nn import Concatenate, DenseNet, DenseNet121, ImageEncoder, PlainStem, RegionStem, Stem
from mtl_hcc.nn.slices import SliceNorm

DEPTH, EDGE = 6, 32
STEMS = {"region": RegionStem, "plain": PlainStem}


def images_and_regions(volumes: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (volumes, 1, DEPTH, EDGE, EDGE)
    images = torch.rand(shape, generator=generator)
    return images, torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8)


def last_map(backbone: DenseNet, features: Tensor) -> Tensor:
    """Return the backbone's last map before pooling."""
    return backbone.activation(backbone.features(features))


@pytest.mark.parametrize("kind", STEMS.values(), ids=STEMS)
def test_a_2d_stem_is_a_2d_convolution_of_each_axial_slice(kind: type[Stem]):
    stem = kind(out_channels=4, kernel_size=5, stride=2, dimensions="2d")
    images, regions = images_and_regions()
    features = stem(images, regions)
    assert features.shape == (2, 4, DEPTH, EDGE // 2, EDGE // 2)
    for position in range(DEPTH):
        here = slice(position, position + 1)
        alone = stem(images[:, :, here], regions[:, :, here])
        torch.testing.assert_close(features[:, :, here], alone)
    if kind is PlainStem:
        weight = stem.convolution.weight[:, :, 0]
        expected = functional.conv2d(images[:, :, 3], weight, stride=2, padding=2)
        torch.testing.assert_close(features[:, :, 3], expected)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_in_a_2d_backbone_no_slice_depends_on_its_neighbours(norm: str):
    torch.manual_seed(0)
    backbone = DenseNet(4, growth_rate=4, layers=(1, 2, 1), norm=norm, dimensions="2d").eval()
    features = torch.randn(2, 4, DEPTH, EDGE, EDGE, requires_grad=True)
    found = last_map(backbone, features)
    assert found.shape[2] == DEPTH, "the depth is kept"
    found[:, :, 2].square().sum().backward()
    reached = features.grad.abs().sum(dim=(0, 1, 3, 4)) > 0
    assert reached.tolist() == [position == 2 for position in range(DEPTH)]


def test_in_the_3d_backbone_they_do_mix():
    """Otherwise the test above would prove little."""
    features = torch.randn(1, 4, EDGE, EDGE, EDGE, requires_grad=True)
    last_map(DenseNet(4, layers=(1, 1)).eval(), features)[:, :, 2].square().sum().backward()
    assert (features.grad.abs().sum(dim=(0, 1, 3, 4)) > 0).sum() > 8


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_each_slice_gets_what_monai_s_2d_densenet_gives(norm: str):
    torch.manual_seed(0)
    layers = (2, 2)
    ours = DenseNet(4, growth_rate=4, layers=layers, norm=norm, dimensions="2d").eval()
    theirs = MonaiDenseNet(
        spatial_dims=2,
        in_channels=4,
        out_channels=1,
        init_features=4,
        growth_rate=4,
        block_config=layers,
        bn_size=2,
        act=("elu", {"inplace": False}),
        norm=(norm, {"affine": True}),
    ).features.eval()
    theirs.conv0 = torch.nn.Identity()
    flat = {
        name: weight[:, :, 0] if weight.ndim == 5 else weight
        for name, weight in ours.features.state_dict().items()
    }
    theirs.load_state_dict(flat)
    features = torch.randn(2, 4, DEPTH, EDGE, EDGE)
    with torch.no_grad():
        found = ours.features(features)
        for position in range(DEPTH):
            expected = theirs(features[:, :, position])
            torch.testing.assert_close(found[:, :, position], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["average", "max", "average_max"])
def test_a_volume_s_vector_is_the_mean_of_its_slices_vectors(pooling: str):
    torch.manual_seed(0)
    backbone = DenseNet(4, growth_rate=4, layers=(1, 1), pooling=pooling, dimensions="2d").eval()
    features = torch.randn(2, 4, DEPTH, EDGE, EDGE)
    with torch.no_grad():
        slices = [backbone(features[:, :, k : k + 1]) for k in range(DEPTH)]
        found = backbone(features)
        shuffled = backbone(features[:, :, torch.randperm(DEPTH)])
    torch.testing.assert_close(found, torch.stack(slices).mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shuffled, found, rtol=1e-4, atol=1e-5)


def test_slice_norm_normalizes_each_slice_of_each_volume():
    norm = SliceNorm(3, affine=True)
    features = torch.randn(2, 3, DEPTH, 8, 8) * torch.arange(1, DEPTH + 1)[:, None, None]
    normalized = norm(features)
    torch.testing.assert_close(normalized.mean((3, 4)), torch.zeros(2, 3, DEPTH), atol=1e-5, rtol=0)
    spread = normalized.std((3, 4), correction=0)
    torch.testing.assert_close(spread, torch.ones(2, 3, DEPTH), atol=1e-4, rtol=0)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_weights_of_2d_have_the_names_of_3d_and_regions_are_pooled_alike(norm: str):
    arguments = {"growth_rate": 4, "layers": (1, 1), "pooled_regions": ("tumor",), "norm": norm}
    flat = DenseNet(4, dimensions="2d", **arguments)
    cubic = DenseNet(4, **arguments)
    assert [*flat.state_dict()] == [*cubic.state_dict()]
    assert flat.out_features == cubic.out_features
    shapes = {name: tuple(weight.shape) for name, weight in flat.state_dict().items()}
    assert shapes["features.denseblock1.denselayer1.layers.conv2.weight"] == (4, 8, 1, 3, 3)
    _, regions = images_and_regions()
    features = torch.randn(2, 4, DEPTH, EDGE // 2, EDGE // 2)
    assert flat(features, regions).shape == (2, flat.out_features)


def test_a_3d_network_draws_the_same_initial_weights_as_before():
    torch.manual_seed(3)
    ours = DenseNet(4, growth_rate=4, layers=(1, 1), bottleneck=2)
    torch.manual_seed(3)
    published = MonaiDenseNet(
        spatial_dims=3,
        in_channels=4,
        out_channels=1,
        init_features=4,
        growth_rate=4,
        block_config=(1, 1),
        bn_size=2,
    )
    name = "denseblock1.denselayer1.layers.conv2.weight"
    torch.testing.assert_close(
        ours.features.state_dict()[name], published.features.state_dict()[name], rtol=0, atol=0
    )


def test_a_2d_encoder_trains_every_weight_also_at_the_published_depth():
    stem = RegionStem(out_channels=8, dimensions="2d")
    backbone = DenseNet121(8, pooled_regions=("tumor",), dimensions="2d")
    encoder = ImageEncoder(
        stem=stem, backbone=backbone, aggregator=Concatenate(backbone.out_features, phases=2)
    )
    images = torch.rand(1, 2, 2, 32, 32)
    regions = torch.randint(0, 8, images.shape, dtype=torch.uint8)
    present = torch.ones(1, 2, dtype=torch.bool)
    encoder(images, regions, present).square().sum().backward()
    lacking = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert lacking == []

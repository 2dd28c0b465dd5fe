"""Which layers there are, how fine they are, and where their cells lie."""

import numpy as np
import pytest
import torch
from tiny_networks import linear_network
from torch import nn

from mtl_hcc.batch import RegionMaps
from mtl_hcc.errors import ConfigError
from mtl_hcc.explanation.layers import choose_layer, map_layers
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.nn import (
    AxialSlices,
    Concatenate,
    DenseNet,
    DenseNet121,
    EncoderParts,
    ImageEncoder,
    Mean,
    RegionStem,
    ResNet,
)
from mtl_hcc.regions import region_bits

SHAPE = (48, 48, 48)
BITS = region_bits()
TWO_MM = Grid(origin=(0, 0, 0), spacing=(2, 2, 2), size=SHAPE)


def encoder(**changes) -> ImageEncoder:
    parts = EncoderParts(
        stem=RegionStem,
        backbone=lambda channels: DenseNet(channels, **changes),
        aggregator=Concatenate,
    )
    return parts.build("tumor").eval()


def test_the_layers_of_the_shipped_network_get_coarser():
    layers = {layer.name: layer for layer in map_layers(encoder(), SHAPE, BITS)}
    cells = {name: layer.cells[0] for name, layer in layers.items()}
    assert next(iter(layers)) == "stem"
    assert cells["stem"] == 24
    assert cells["denseblock1"] == 12
    assert cells["denseblock2"] == 6
    assert cells["denseblock3"] == cells["norm5"] == 3
    assert layers["denseblock1"].cell_mm(TWO_MM) == (8.0, 8.0, 8.0)
    assert (
        layers["denseblock3"].describe(TWO_MM) == "denseblock3: 3 x 3 x 3 cells of 32 x 32 x 32 mm"
    )


def test_side_branches_are_no_layers():
    regions = ("background_liver", "margin", "tumor")
    names = [layer.name for layer in map_layers(encoder(pooled_regions=regions), SHAPE, BITS)]
    assert "denseblock1" in names
    assert not [name for name in names if "taps" in name]


@pytest.mark.parametrize("name", ["stem", "denseblock1", "denseblock2", "denseblock3"])
def test_the_cells_lie_in_the_middle_of_what_they_see(name):
    """With equal positive weights the gradient at the image is symmetric about a cell's center."""
    network = encoder(layers=(1, 1, 1))
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.constant_(module.weight, 0.1)
    features = network.backbone.features
    features.pool0 = nn.AvgPool3d(3, stride=2, padding=1)  # a maximum has no symmetric gradient
    shape = (160, 32, 32)
    (layer,) = [one for one in map_layers(network, shape, BITS) if one.name == name]
    kept = []
    layer.module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    images = torch.ones(1, 1, *shape, requires_grad=True)
    regions = RegionMaps(torch.full((1, 1, *shape), 3, dtype=torch.uint8), BITS)
    network.backbone(network.stem(images, regions), regions)
    middle = [n // 2 for n in layer.cells]
    kept[0][0, :, middle[0], middle[1], middle[2]].sum().backward()
    along = images.grad[0, 0].abs().sum(dim=(1, 2)).double()  # along depth, far from both ends
    assert along[0] == along[-1] == 0, "the ends are not seen"
    center = float((torch.arange(shape[0]) * along).sum() / along.sum())
    assert center == pytest.approx(layer.first[0] + layer.step[0] * middle[0], abs=0.05)


def test_a_map_made_smaller_in_an_unknown_way_is_spread_evenly():
    network = linear_network([1.0], os=[1.0, 1.0], mvi=[[0.0, 0.0], [1.0, 1.0]])

    class Halved(nn.Module):
        def forward(self, features):
            return features[..., ::2, ::2, ::2]

    stem = network.encoder("tumor").stem
    stem.convolution = nn.Sequential(stem.convolution, Halved())
    (layer,) = [
        one for one in map_layers(network.encoder("tumor"), (8, 8, 8), BITS) if one.name == "stem"
    ]
    assert layer.cells == (4, 4, 4)
    assert layer.step == (2.0, 2.0, 2.0)
    assert layer.first == (0.5, 0.5, 0.5)


def test_by_default_the_deepest_map_with_cells_of_ten_millimeters_is_taken():
    layers = map_layers(encoder(), SHAPE, BITS)
    assert choose_layer(layers, TWO_MM, None).name == "denseblock1"
    fine = Grid(origin=(0, 0, 0), spacing=(1, 1, 1), size=SHAPE)
    assert choose_layer(layers, fine, None).name == "denseblock2"
    coarse = Grid(origin=(0, 0, 0), spacing=(6, 6, 6), size=SHAPE)
    assert choose_layer(layers, coarse, None).cells == (24, 24, 24), "the finest, if none is fine"


def test_an_unknown_layer_lists_all_with_their_resolution():
    layers = map_layers(encoder(), SHAPE, BITS)
    with pytest.raises(ConfigError, match="no layer 'conv9'") as caught:
        choose_layer(layers, TWO_MM, "conv9")
    assert "stem: 24 x 24 x 24 cells of 4 x 4 x 4 mm" in str(caught.value)
    assert "denseblock3: 3 x 3 x 3 cells of 32 x 32 x 32 mm" in str(caught.value)
    assert choose_layer(layers, TWO_MM, "denseblock2").name == "denseblock2"


def test_the_published_network_has_a_fine_layer_too():
    parts = EncoderParts(
        stem=lambda channels: RegionStem(channels, out_channels=8),
        backbone=DenseNet121,
        aggregator=Concatenate,
    )
    network = parts.build("tumor").eval()
    layers = map_layers(network, (96, 96, 96), BITS)
    fine = Grid(origin=(0, 0, 0), spacing=(1, 1, 1), size=(96, 96, 96))
    assert {layer.name: layer.cells[0] for layer in layers}["denseblock4"] == 3
    chosen = choose_layer(layers, fine, None)
    assert chosen.name == "denseblock2"
    np.testing.assert_allclose(chosen.cell_mm(fine), 8)


@pytest.mark.parametrize("kind", [DenseNet, ResNet])
def test_maps_of_slices_are_coarse_in_the_plane_and_have_the_slices_along_z(kind: type):
    network = EncoderParts(
        instances=AxialSlices(neighbors=1),
        stem=lambda channels: RegionStem(channels, out_channels=8, dimensions="2d"),
        backbone=lambda channels: kind(channels, dimensions="2d"),
        aggregator=Mean,
    ).build("tumor")
    layers = {layer.name: layer for layer in map_layers(network.eval(), (5, 64, 64), BITS)}
    grid = Grid(origin=(0, 0, 0), spacing=(1, 1, 6), size=(64, 64, 5))
    assert layers["stem"].cells == (5, 32, 32)
    assert layers["stem"].describe(grid) == "stem: 5 x 32 x 32 cells of 6 x 2 x 2 mm"
    last = layers["denseblock3" if kind is DenseNet else "layer3"]
    assert last.cells == (5, 4, 4)
    assert last.step == (1.0, 16.0, 16.0)
    assert last.first[0] == 0
    three_d = EncoderParts(stem=RegionStem, backbone=kind, aggregator=Concatenate).build("tumor")
    cubic = {layer.name: layer for layer in map_layers(three_d.eval(), (64, 64, 64), BITS)}
    assert last.first[1:] == cubic[last.name].first[1:]

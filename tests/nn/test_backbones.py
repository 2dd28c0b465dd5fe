"""All exported backbones on one tiny volume."""

import inspect

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet121 as MonaiDenseNet121

import mtl_hcc.nn
from mtl_hcc.nn import Backbone, DenseNet, DenseNet121
from mtl_hcc.nn.backbones import region_means

CHANNELS, EDGE = 4, 32  # five halvings leave one voxel
EXPORTED = [
    part
    for part in vars(mtl_hcc.nn).values()
    if inspect.isclass(part) and issubclass(part, Backbone) and part is not Backbone
]


def volumes(count: int) -> torch.Tensor:
    shape = (count, CHANNELS, EDGE, EDGE, EDGE)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=EXPORTED, ids=lambda kind: kind.__name__)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    network = request.param(CHANNELS)
    with torch.no_grad():
        network(volumes(3))  # batch norms get running statistics
    return network


def test_gives_one_vector_for_each_volume_and_gradients_for_every_weight(backbone: Backbone):
    backbone.train()
    features = volumes(2).requires_grad_()
    vectors = backbone(features)
    assert vectors.shape == (2, backbone.out_features)
    vectors.square().sum().backward()
    assert features.grad.abs().sum() > 0
    lacking = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert lacking == []
    backbone.zero_grad()


def test_a_volume_does_not_depend_on_its_neighbours_in_evaluation(backbone: Backbone):
    backbone.eval()
    features = volumes(3)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        vectors = backbone(features)
        torch.testing.assert_close(backbone(features[order]), vectors[order])
        torch.testing.assert_close(backbone(features[1:2]), vectors[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["average", "max", "average_max"])
def test_pooling_says_what_becomes_of_the_last_map(pooling: str):
    network = DenseNet(CHANNELS, layers=(1, 1), growth_rate=4, pooling=pooling).eval()
    features = volumes(2)
    with torch.no_grad():
        last = torch.nn.functional.elu(network.features(features)).numpy()
        vectors = network(features).numpy()
    oracle = {"average": last.mean((2, 3, 4)), "max": last.max((2, 3, 4))}
    expected = [oracle[name] for name in pooling.split("_")]
    torch.testing.assert_close(vectors, np.concatenate(expected, 1))


def test_instance_norm_lets_a_single_volume_train():
    network = DenseNet(CHANNELS, layers=(1, 1), growth_rate=4, norm="instance").train()
    alone, together = network(volumes(2)[:1]), network(volumes(2))[:1]
    torch.testing.assert_close(alone, together)


def test_densenet_121_has_the_published_depth_and_weights():
    ours = DenseNet121(64, activation="relu")
    published = MonaiDenseNet121(spatial_dims=3, in_channels=1, out_channels=1)
    assert ours.out_features == 1024
    theirs = {
        name: tensor.shape
        for name, tensor in published.features.state_dict().items()
        if not name.startswith("conv0")
    }
    assert {n: t.shape for n, t in ours.features.state_dict().items()} == theirs


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


def test_pooled_regions_widen_the_vector_and_need_the_region_map():
    plain = DenseNet(4, growth_rate=4, layers=(1, 1))
    pooled = DenseNet(4, growth_rate=4, layers=(1, 1), pooled_regions=("tumor", "margin"))
    assert pooled.out_features == plain.out_features + 2 * 8
    features = torch.randn(2, 4, 8, 8, 8)
    regions = torch.randint(0, 8, (2, 1, 16, 16, 16), dtype=torch.uint8)
    assert pooled(features, regions).shape == (2, pooled.out_features)
    with pytest.raises(ValueError, match="needs the region map"):
        pooled(features)

"""All exported backbones on one tiny volume."""

import inspect

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from monai.networks.nets import DenseNet121 as MonaiDenseNet121
from safetensors.torch import save_file

import mtl_hcc.nn
from mtl_hcc.batch import RegionMaps
from mtl_hcc.errors import ConfigError
from mtl_hcc.nn import Backbone, DenseNet, DenseNet121, ResNet
from mtl_hcc.regions import region_bits

CHANNELS, EDGE = 4, 32  # five halvings leave one voxel
EXPORTED = [
    part
    for part in vars(mtl_hcc.nn).values()
    if inspect.isclass(part) and issubclass(part, Backbone) and part is not Backbone
]


def volumes(count: int, *, axes: int = 3) -> torch.Tensor:
    shape = (count, CHANNELS, *[EDGE] * axes)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def instances(count: int, backbone: Backbone) -> torch.Tensor:
    return volumes(count, axes=int(backbone.dimensions[0]))


@pytest.fixture(
    scope="module",
    params=[(kind, dimensions) for kind in EXPORTED for dimensions in ("3d", "2d")],
    ids=lambda param: f"{param[0].__name__} {param[1]}",
)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    kind, dimensions = request.param
    network = kind(CHANNELS, dimensions=dimensions)
    with torch.no_grad():
        network(instances(3, network))  # batch norms get running statistics
    return network


def test_gives_one_vector_for_each_instance_and_gradients_for_every_weight(backbone: Backbone):
    backbone.train()
    features = instances(2, backbone).requires_grad_()
    vectors = backbone(features)
    assert vectors.shape == (2, backbone.out_features)
    vectors.square().sum().backward()
    assert features.grad.abs().sum() > 0
    lacking = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert lacking == []
    backbone.zero_grad()


def test_an_instance_does_not_depend_on_its_neighbours_in_evaluation(backbone: Backbone):
    backbone.eval()
    features = instances(3, backbone)
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


@pytest.mark.parametrize("norm", ["instance", "group"])
@pytest.mark.parametrize("dimensions", ["3d", "2d"])
@pytest.mark.parametrize("kind", ["DenseNet", "ResNet"])
def test_other_norms_let_a_single_instance_train(kind: str, norm: str, dimensions: str):
    if kind == "DenseNet":
        network = DenseNet(CHANNELS, layers=(1, 1), growth_rate=4, norm=norm, dimensions=dimensions)
    else:
        network = ResNet(CHANNELS, width=4, norm=norm, dimensions=dimensions)
    network.train()
    edge = 64 if kind == "ResNet" else EDGE
    features = torch.randn(2, CHANNELS, *[edge] * int(dimensions[0]))
    torch.testing.assert_close(network(features[:1]), network(features)[:1], rtol=1e-4, atol=1e-5)


def test_a_2d_densenet_is_monai_s():
    torch.manual_seed(0)
    ours = DenseNet(CHANNELS, growth_rate=4, layers=(2, 2), dimensions="2d").eval()
    theirs = MonaiDenseNet(
        spatial_dims=2,
        in_channels=CHANNELS,
        out_channels=1,
        init_features=CHANNELS,
        growth_rate=4,
        block_config=(2, 2),
        bn_size=2,
        act=("elu", {"inplace": False}),
    ).features.eval()
    theirs.conv0 = torch.nn.Identity()
    theirs.load_state_dict(ours.features.state_dict())
    features = volumes(3, axes=2)
    with torch.no_grad():
        expected = torch.nn.functional.elu(theirs(features)).mean((2, 3))
        torch.testing.assert_close(ours(features), expected)


def test_regions_are_pooled_in_2d_from_the_slice_in_the_middle_of_its_neighbors():
    network = DenseNet(
        CHANNELS,
        growth_rate=4,
        layers=(1, 1),
        pooled_regions=("tumor",),
        mask_pooling="adaptive",  # a region of whole cells has the share 1 there, 0 elsewhere
        dimensions="2d",
    ).eval()
    bits = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    bits[:, 1, :4, :4] = 2
    features = torch.randn(1, CHANNELS, 8, 8)
    kept = []
    network.taps["denseblock1"].register_forward_hook(lambda m, i, output: kept.append(output))
    with torch.no_grad():
        found = network(features, RegionMaps(bits, region_bits()))
        bits[:, [0, 2]] = 2
        again = network(features, RegionMaps(bits, region_bits()))
    tapped = torch.nn.functional.elu(kept[0])  # (1, 8, 4, 4): a cell is 4 voxels wide
    torch.testing.assert_close(found[:, :8], tapped[:, :, 0, 0])
    assert again.equal(found)


def test_a_2d_resnet_18_is_that_of_torchvision_without_the_first_convolution():
    """Oracle: the architecture of He 2016, table 1, counted by hand."""
    network = ResNet(64, depth=18, dimensions="2d")
    assert network.out_features == 512
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 - 64 * 3 * 49 - 513_000
    assert ResNet(64, depth=50, dimensions="2d").out_features == 2048
    fifty = sum(p.numel() for p in ResNet(64, depth=50, dimensions="2d").parameters())
    assert fifty == 25_557_032 - 64 * 3 * 49 - 2_049_000


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_resnet_starts_from_the_weights_of_a_file(tmp_path, kind: str):
    torch.manual_seed(1)
    given = dict(ResNet(4, width=4, dimensions="2d").features.state_dict())
    stored = {f"module.{name}": tensor.clone() for name, tensor in given.items()}
    stored |= {"module.conv1.weight": torch.zeros(4, 3, 7, 7), "fc.bias": torch.zeros(1000)}
    path = tmp_path / f"weights.{kind}"
    if kind == "pth":
        torch.save({"state_dict": stored}, path)
    else:
        save_file(stored, path)
    torch.manual_seed(2)
    network = ResNet(4, width=4, dimensions="2d", weights=str(path))
    assert not network.features.layer1[0].conv1.weight.equal(given["layer1.0.conv1.weight"])
    network.start()
    torch.testing.assert_close(dict(network.features.state_dict()), given, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 34}, "lacks layer1.2.conv1.weight"),
        ({"width": 8}, "has other shapes: bn1.weight"),
        ({"dimensions": "3d"}, "has other shapes: layer1.0.conv1.weight (4, 4, 3, 3), here"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, changes, message: str):
    save_file(
        dict(ResNet(4, width=4, dimensions="2d").features.state_dict()), tmp_path / "w.safetensors"
    )
    arguments = {"width": 4, "dimensions": "2d"} | changes
    network = ResNet(4, weights=str(tmp_path / "w.safetensors"), **arguments)
    with pytest.raises(ConfigError) as caught:
        network.start()
    assert message in str(caught.value)
    assert "and" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_holds_no_weights_is_one_message(tmp_path, name: str, content: bytes | None):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        ResNet(4, width=4, weights=str(tmp_path / name)).start()


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    torch.save({"layer": print}, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="cannot be read"):
        ResNet(4, width=4, weights=str(tmp_path / "w.pth")).start()


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


def test_pooled_regions_widen_the_vector_and_need_the_region_map():
    plain = DenseNet(4, growth_rate=4, layers=(1, 1))
    pooled = DenseNet(4, growth_rate=4, layers=(1, 1), pooled_regions=("tumor", "margin"))
    assert pooled.out_features == plain.out_features + 2 * 8
    features = torch.randn(2, 4, 8, 8, 8)
    bits = torch.randint(0, 8, (2, 1, 16, 16, 16), dtype=torch.uint8)
    regions = RegionMaps(bits, region_bits())
    assert pooled(features, regions).shape == (2, pooled.out_features)
    with pytest.raises(ValueError, match="need the region map"):
        pooled(features)


def trained_step(*, checkpointing: bool, norm: str, training: bool = True) -> tuple:
    """Return vectors, gradients, weights with statistics, and bytes kept for the backward pass."""
    torch.manual_seed(0)
    network = DenseNet(
        CHANNELS, layers=(2, 2), norm=norm, dropout=0.3, checkpointing=checkpointing
    ).train(training)
    features, kept = volumes(2).requires_grad_(), {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        vectors = network(features)
    vectors.square().sum().backward()
    gradients = {name: part.grad for name, part in network.named_parameters()}
    return (vectors.detach(), features.grad, gradients, network.state_dict()), sum(kept.values())


@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_checkpointing_gives_the_same_numbers_and_keeps_less(norm: str):
    whole, all_bytes = trained_step(checkpointing=False, norm=norm)
    again, fewer = trained_step(checkpointing=True, norm=norm)
    torch.testing.assert_close(again, whole, rtol=0, atol=0)  # statistics and their counts, too
    assert fewer < 0.6 * all_bytes


def test_checkpointing_leaves_evaluation_as_it_is():
    whole = trained_step(checkpointing=False, norm="batch", training=False)[0]
    again = trained_step(checkpointing=True, norm="batch", training=False)[0]
    torch.testing.assert_close(again, whole, rtol=0, atol=0)

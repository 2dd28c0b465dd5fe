"""Where the means over regions are taken."""

import pytest
import torch
from monai.networks.nets import DenseNet as MonaiDenseNet

from mtl_hcc.batch import RegionMaps
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


def test_the_middle_slice_of_an_instance_is_measured():
    bits = torch.full((1, 3, 4, 4), BITS["liver"], dtype=torch.uint8)
    bits[:, 1, :2] |= BITS["tumor"]
    bits[:, 0] = 0
    masks = masks_of(("tumor", "liver"), RegionMaps(bits, BITS))
    assert masks.sum((2, 3)).tolist() == [[8.0, 16.0]]

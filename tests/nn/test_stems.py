"""Stems: which voxel enters which convolution."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn import PlainStem, RegionStem
from mtl_hcc.regions import region_bits


def regions_with_every_combination_of_bits() -> RegionMaps:
    return RegionMaps(torch.arange(16, dtype=torch.uint8), region_bits())


def images_and_regions(
    volumes: int = 2, edge: int = 9, *, channels: int = 1, axes: int = 3
) -> tuple[Tensor, RegionMaps]:
    generator = torch.Generator().manual_seed(1)
    shape = (volumes, channels, *[edge] * axes)
    images = torch.rand(shape, generator=generator)
    bits = torch.randint(0, 16, shape, generator=generator, dtype=torch.uint8)
    return images, RegionMaps(bits, region_bits())


def test_background_liver_margin_and_tumor_leave_no_liver_voxel_out():
    regions = regions_with_every_combination_of_bits()
    background, margin, tumor, liver = (
        regions.mask(name) for name in ("background_liver", "margin", "tumor", "liver")
    )
    assert not (background & (margin | tumor)).any()
    assert ((background | margin | tumor) & liver).equal(liver)
    assert regions.mask("loat").equal(regions.bits >= 8)


def test_the_look_up_of_masks_says_what_each_mask_says():
    bits = torch.arange(256, dtype=torch.uint8).reshape(2, 1, 4, 4, 8)
    regions = RegionMaps(bits, region_bits(["margin", "rim"]))
    names = ("background_liver", "tumor", "liver", "rim", "tumor")
    expected = torch.stack([regions.mask(name) for name in names], dim=-1)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        masks = regions.masks(names, dtype=dtype)
        assert masks.dtype is dtype
        assert masks.equal(expected.to(dtype))


def test_a_region_stem_gives_the_image_its_gradient():
    stem = RegionStem(1, out_channels=2, regions=("tumor", "margin")).double()
    images, regions = images_and_regions(1, 4)
    images = images.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: stem(given, regions), images)


def test_an_unknown_region_is_named_together_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown region 'spleen'; expected one of background_liv"):
        RegionStem(1, regions=("tumor", "spleen"))(*images_and_regions())


def test_a_region_stem_is_the_sum_of_one_convolution_for_each_region():
    stem = RegionStem(1, out_channels=5, regions=("background_liver", "margin", "tumor"), stride=2)
    images, regions = images_and_regions()
    weight = stem.convolution.weight  # image channels of the regions first, then their masks
    expected = 0
    for position, region in enumerate(stem.regions):
        mask = regions.mask(region).float()
        filters = weight[:, [position, position + len(stem.regions)]]
        inside = torch.cat([images * mask, mask], dim=1)
        expected = expected + functional.conv3d(inside, filters, stride=2, padding=1)
    torch.testing.assert_close(stem(images, regions), expected)


def test_a_region_stem_does_not_see_outside_its_regions_but_tells_dark_from_absent():
    stem = RegionStem(1, out_channels=3, regions=("tumor",))
    images, regions = images_and_regions()
    tumor = regions.mask("tumor")
    brighter_outside = torch.where(tumor, images, images + 1)
    torch.testing.assert_close(stem(images, regions), stem(brighter_outside, regions))
    dark = torch.zeros_like(images)
    assert not torch.allclose(stem(dark, regions), stem(dark, regions.map(torch.zeros_like)))


def test_a_plain_stem_is_one_convolution_of_the_image_alone():
    stem = PlainStem(1, out_channels=4, stride=2)
    images, regions = images_and_regions()
    expected = functional.conv3d(images, stem.convolution.weight, stride=2, padding=1)
    torch.testing.assert_close(stem(images, regions), expected)
    torch.testing.assert_close(stem(images, regions.map(torch.zeros_like)), expected)


def test_a_slice_with_neighbors_shows_each_channel_with_the_mask_of_its_own_slice():
    stem = RegionStem(3, out_channels=4, regions=("tumor", "margin"), dimensions="2d")
    images, regions = images_and_regions(channels=3, axes=2)
    masks = [regions.mask(name).float() for name in ("tumor", "margin")]
    inside = torch.cat([images * masks[0], images * masks[1], *masks], dim=1)
    expected = functional.conv2d(inside, stem.convolution.weight, stride=2, padding=1)
    torch.testing.assert_close(stem(images, regions), expected)

"""Stems: which voxel enters which convolution."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtl_hcc.nn import PlainStem, RegionStem
from mtl_hcc.nn.stems import REGIONS, region_mask
from mtl_hcc.regions import Region


def regions_with_every_combination_of_bits() -> Tensor:
    return torch.arange(16, dtype=torch.uint8)


def images_and_regions(volumes: int = 2, edge: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (volumes, 1, edge, edge, edge)
    images = torch.rand(shape, generator=generator)
    return images, torch.randint(0, 16, shape, generator=generator, dtype=torch.uint8)


def test_the_bits_are_those_of_the_store():
    assert {name.upper(): bit for name, bit in REGIONS.items()} == {r.name: r.value for r in Region}


def test_background_liver_margin_and_tumor_leave_no_liver_voxel_out():
    regions = regions_with_every_combination_of_bits()
    background, margin, tumor, liver = (
        region_mask(regions, name) for name in ("background_liver", "margin", "tumor", "liver")
    )
    assert not (background & (margin | tumor)).any()
    assert ((background | margin | tumor) & liver).equal(liver)
    assert region_mask(regions, "loat").equal(regions >= 8)


def test_an_unknown_region_is_named_together_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown region 'spleen'; expected one of background_liv"):
        RegionStem(regions=("tumor", "spleen"))


def test_a_region_stem_is_the_sum_of_one_convolution_for_each_region():
    stem = RegionStem(out_channels=5, regions=("background_liver", "margin", "tumor"), stride=2)
    images, regions = images_and_regions()
    weight = stem.convolution.weight  # image channels of the regions first, then their masks
    expected = 0
    for position, region in enumerate(stem.regions):
        mask = region_mask(regions, region).float()
        filters = weight[:, [position, position + len(stem.regions)]]
        inside = torch.cat([images * mask, mask], dim=1)
        expected = expected + functional.conv3d(inside, filters, stride=2, padding=1)
    torch.testing.assert_close(stem(images, regions), expected)


def test_a_region_stem_does_not_see_outside_its_regions_but_tells_dark_from_absent():
    stem = RegionStem(out_channels=3, regions=("tumor",))
    images, regions = images_and_regions()
    tumor = region_mask(regions, "tumor")
    brighter_outside = torch.where(tumor, images, images + 1)
    torch.testing.assert_close(stem(images, regions), stem(brighter_outside, regions))
    dark = torch.zeros_like(images)
    assert not torch.allclose(stem(dark, regions), stem(dark, torch.zeros_like(regions)))


def test_a_plain_stem_is_one_convolution_of_the_image_alone():
    stem = PlainStem(out_channels=4, stride=2)
    images, regions = images_and_regions()
    expected = functional.conv3d(images, stem.convolution.weight, stride=2, padding=1)
    torch.testing.assert_close(stem(images, regions), expected)
    torch.testing.assert_close(stem(images, torch.zeros_like(regions)), expected)

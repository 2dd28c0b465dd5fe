"""Means over regions: which share of each cell a region covers, and what lies in it."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtl_hcc.batch import RegionMaps

MaskPooling = Literal["strided", "adaptive"]
"""How masks become as coarse as a map. ``strided``: like the map itself, so that a cell and its
share look at the same voxels. ``adaptive``: in blocks, which lie up to 1.5 voxels beside what
strided layers with padding look at (version 0.1)."""


def masks_of(names: tuple[str, ...], regions: RegionMaps | None) -> Tensor:
    """Return (instance, region, [depth,] height, width) of 0 and 1, of the middle channel.

    Args:
        names: Regions.
        regions: Maps of the instances.
    """
    if not names:
        return torch.empty(0)
    if regions is None:
        raise ValueError("means over regions need the region map")
    middle = regions.map(lambda bits: bits[:, bits.shape[1] // 2])
    return middle.masks(names).movedim(-1, 1).contiguous()


def through_stem(masks: Tensor, features: Tensor) -> Tensor:
    """Return the shares of the cells of a stem's map.

    A stem is a convolution of stride s with half its kernel as padding: cell j looks at voxel s j
    and around it. Its share is the mean over the voxels that are nearest to it.

    Args:
        masks: (instance, region, [depth,] height, width).
        features: (instance, channel, ...) of the stem.
    """
    strides = [
        max(1, round(fine / coarse))
        for fine, coarse in zip(masks.shape[2:], features.shape[2:], strict=True)
    ]
    halves = [stride // 2 for stride in strides]
    return _mean_pool(masks, [2 * half + 1 for half in halves], strides, halves)


def through_layer(shares: Tensor, layer: nn.Module) -> Tensor:
    """Return the shares behind a layer, pooled as the layer pools its map.

    Args:
        shares: Of the map before it.
        layer: Whose pooling layers count, e.g. a transition of DenseNet.
    """
    pools = nn.MaxPool2d | nn.MaxPool3d | nn.AvgPool2d | nn.AvgPool3d
    for part in layer.modules():
        if isinstance(part, pools):
            axes = shares.dim() - 2
            kernel, stride, padding = (
                list(value) if isinstance(value, tuple) else [int(value)] * axes
                for value in (part.kernel_size, part.stride, part.padding)
            )
            shares = _mean_pool(shares, kernel, stride, padding)
    return shares


def in_blocks(shares: Tensor, features: Tensor) -> Tensor:
    """Return the shares of the cells of a coarser map, the field cut into equal blocks.

    Args:
        shares: (instance, region, [depth,] height, width).
        features: (instance, channel, ...) of the coarser map.
    """
    if features.dim() == 4:
        return functional.adaptive_avg_pool2d(shares, (features.shape[2], features.shape[3]))
    depth, height, width = features.shape[2:]
    return functional.adaptive_avg_pool3d(shares, (depth, height, width))


def _mean_pool(shares: Tensor, kernel: list[int], stride: list[int], padding: list[int]) -> Tensor:
    """Return the mean over windows; what lies outside the field does not count."""
    pool = functional.avg_pool2d if shares.dim() == 4 else functional.avg_pool3d
    return pool(shares, kernel, stride, padding, count_include_pad=False)


def region_means(features: Tensor, shares: Tensor) -> Tensor:
    """Return the mean of a feature map over each region, 0 where a region is empty.

    ``sum_v w_rv f_v / sum_v w_rv``, with w_rv the share of cell v that region r covers. In float32
    also under autocast: the sum over a region of 32 cubed voxels is beyond float16.

    Args:
        features: (instance, channel, [depth,] height, width).
        shares: (instance, region, [depth,] height, width), in [0, 1].

    Returns:
        (instance, region, channel), float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        shares = shares.flatten(2).float()
        total = shares @ features.flatten(2).float().transpose(1, 2)
        return total / shares.sum(dim=2, keepdim=True).clamp(min=1e-6)

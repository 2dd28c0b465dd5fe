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
    middle = regions.map(lambda bits: bits[:, [bits.shape[1] // 2]])
    return torch.cat([middle.mask(name) for name in names], dim=1).float()


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


class RegionMoments(nn.Module):
    """Thirteen numbers on a card: what the intensities of each region are, and its volume.

    Of each region the mean (``against`` excepted, of the mean above that of ``against``), the
    standard deviation, and ``log(1 + volume in ml)``; measured on the image itself, before any
    convolution, so that the network need not learn them. Then standardized by the means and
    deviations of all training instances so far, which are part of the weights.

    Args:
        regions: Which, e.g. ``[background_liver, margin, tumor]``.
        against: The region whose mean is taken from those of the others: a bolus or a scanner
            moves both. None compares with nothing.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(
        self,
        *,
        regions: tuple[str, ...] = ("background_liver", "margin", "tumor"),
        against: str | None = "background_liver",
    ) -> None:
        super().__init__()
        self.regions, self.against = tuple(regions), against
        if not self.regions or (against is not None and against not in self.regions):
            raise ValueError(
                f"moments.regions are {list(self.regions)} and moments.against is {against}; "
                "expected at least one region, and against one of them or null"
            )
        self.out_features = 3 * len(self.regions)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(self.out_features))
        self.register_buffer("variance", torch.ones(self.out_features))

    def measure(self, images: Tensor, regions: RegionMaps, voxel_ml: Tensor) -> Tensor:
        """Return (instance, number), float32: means, then deviations, then log volumes.

        An empty region has the mean of ``against`` and no spread.

        Args:
            images: (instance, channel, [depth,] height, width); of slices the middle channel.
            regions: Maps of the same shape.
            voxel_ml: (instance,) volume of a voxel.
        """
        masks = masks_of(self.regions, regions)
        image = images[:, [images.shape[1] // 2]].float()
        moments = region_means(torch.cat([image, image.square()], dim=1), masks)
        mean = moments[..., 0]  # (instance, region)
        spread = (moments[..., 1] - mean.square()).clamp(min=0).sqrt()
        voxels = masks.flatten(2).sum(2)
        if self.against is not None:
            place = self.regions.index(self.against)
            above = torch.where(voxels > 0, mean - mean[:, [place]], 0.0)
            above[:, place] = mean[:, place]
            mean = above
        volume = (voxels * voxel_ml[:, None]).log1p()
        return torch.cat([mean, spread, volume], dim=1)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the numbers with mean 0 and deviation 1 over the training instances so far.

        Args:
            numbers: From :meth:`measure`.
        """
        if self.training and len(numbers):
            self._take_note(numbers.detach())
        return (numbers - self.mean) / (self.variance + 1e-6).sqrt()

    @torch.no_grad()
    def _take_note(self, numbers: Tensor) -> None:
        """Join the moments of these instances with those of the earlier ones (Chan 1979)."""
        new = len(numbers)
        total = self.count + new
        mean = numbers.mean(0)
        apart = mean - self.mean
        old = self.count / total
        self.variance.mul_(old).add_(
            (1 - old) * numbers.var(0, unbiased=False) + old * (1 - old) * apart.square()
        )
        self.mean.add_((1 - old) * apart)
        self.count.copy_(total)

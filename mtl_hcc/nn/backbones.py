"""Backbones: from a stem's feature map to one vector per volume; phases share the weights."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from torch import Tensor, nn
from torch.nn import functional

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn.slices import Dimensions, SliceNorm, slice_by_slice


class Backbone(nn.Module, ABC):
    """Turns feature maps into vectors.

    Shapes:
        features: (volume, in_channels, depth, height, width).
        regions: (volume, 1, depth', height', width') maps on the finer grid of the image;
            only backbones that pool by region look at them.
        returns: (volume, out_features).
    """

    out_features: int

    @abstractmethod
    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        """Return one vector per volume."""


class DenseNet(Backbone):
    """MONAI's 3D DenseNet (Huang 2017) with the stem in place of its first convolution.

    The defaults are compact, for a cohort of some hundred patients on a workstation;
    :class:`DenseNet121` has the published depth.

    Args:
        in_channels: Channels of the stem's feature map.
        growth_rate: Channels that each layer adds.
        layers: Layers of each dense block; resolution is halved between blocks.
        bottleneck: Width of the 1x1x1 convolutions, in multiples of ``growth_rate``.
        norm: ``batch``; ``instance`` for batches of one or two patients.
        activation: ``elu`` as in the paper, or ``relu``.
        dropout: Probability of dropping a new feature.
        pooling: How the last map becomes a vector; ``average_max`` concatenates both.
        pooled_regions: Regions whose mean features are added to the vector, from the map of each
            dense block but the last. The mean over a region does not depend on its size, whereas
            the mean over the field of view mixes how bright a zone is with how large it is.
        dimensions: ``2d`` sends each axial slice through the same 2D network and takes the mean
            over the slices (of their maxima, where the pooling is by maximum), as networks made
            for photographs are applied to scans. The stem has the same setting.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        growth_rate: int = 12,
        layers: tuple[int, ...] = (3, 3, 3),
        bottleneck: int = 2,
        norm: Literal["batch", "instance"] = "batch",
        activation: Literal["elu", "relu"] = "elu",
        dropout: float = 0.0,
        pooling: Literal["average", "max", "average_max"] = "average",
        pooled_regions: tuple[str, ...] = (),
        dimensions: Dimensions = "3d",
    ) -> None:
        super().__init__()
        network = MonaiDenseNet(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=1,
            init_features=in_channels,
            growth_rate=growth_rate,
            block_config=tuple(layers),
            bn_size=bottleneck,
            # In place, the backward hooks of Grad-CAM would raise (pytorch-grad-cam#147).
            act=(activation, {"inplace": False}),
            norm=(norm, {"affine": True}),
            dropout_prob=dropout,
        )
        self.features = network.features
        self.features.conv0 = nn.Identity()  # the stem is the first convolution
        self.dimensions: Dimensions = dimensions
        if dimensions == "2d":
            slice_by_slice(self.features)
        self.activation = nn.ELU() if activation == "elu" else nn.ReLU()
        self.pooling = pooling
        channels = int(network.class_layers.out.in_features)
        self.out_features = channels * (2 if pooling == "average_max" else 1)
        self.pooled_regions = tuple(pooled_regions)
        self.taps = nn.ModuleDict()
        if self.pooled_regions:
            for block in range(1, len(layers)):
                transition = getattr(network.features, f"transition{block}")
                width = int(transition.norm.num_features)
                self.taps[f"denseblock{block}"] = _norm(norm, dimensions)(width, affine=True)
                self.out_features += width * len(self.pooled_regions)

    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        """Return the pooled last feature map, and the pooled regions of the maps before it."""
        vectors: list[Tensor] = []
        shares = self._masks(regions)
        for name, layer in self.features.named_children():
            features = layer(features)  # (volume, channel, depth, height, width)
            if name in self.taps:
                depth, height, width = features.shape[2:]
                # From the shares of the map before: a mean of means, and much less to add up.
                shares = functional.adaptive_avg_pool3d(shares, (depth, height, width))
                tapped = self.activation(self.taps[name](features))
                vectors.append(region_means(tapped, shares).flatten(1))
        last = self.activation(features)
        if self.pooling in ("average", "average_max"):
            vectors.append(last.flatten(2).mean(dim=2))
        if self.pooling in ("max", "average_max"):
            in_plane = last.amax(dim=(3, 4))  # (volume, channel, slice)
            vectors.append(in_plane.mean(2) if self.dimensions == "2d" else in_plane.amax(2))
        return torch.cat(vectors, dim=1)

    def _masks(self, regions: RegionMaps | None) -> Tensor:
        """Return (volume, pooled region, depth', height', width') of 0 and 1."""
        if not self.pooled_regions:
            return torch.empty(0)
        if regions is None:
            raise ValueError("a backbone with pooled_regions needs the region map")
        masks = [regions.mask(region) for region in self.pooled_regions]
        return torch.cat(masks, dim=1).float()


def _norm(
    norm: Literal["batch", "instance"], dimensions: Dimensions
) -> type[nn.BatchNorm3d | nn.InstanceNorm3d]:
    """Return the norm of a map."""
    if norm == "batch":
        return nn.BatchNorm3d
    return nn.InstanceNorm3d if dimensions == "3d" else SliceNorm


def region_means(features: Tensor, shares: Tensor) -> Tensor:
    """Return the mean of a feature map over each region, 0 where a region is empty.

    ``sum_v w_rv f_v / sum_v w_rv``, with w_rv the share of cell v that region r covers.

    Args:
        features: (volume, channel, depth, height, width).
        shares: (volume, region, depth, height, width), in [0, 1].

    Returns:
        (volume, region, channel).
    """
    shares = shares.flatten(2).to(features.dtype)
    total = shares @ features.flatten(2).transpose(1, 2)
    return total / shares.sum(dim=2, keepdim=True).clamp(min=1e-6)


class DenseNet121(DenseNet):
    """DenseNet-121: blocks of 6, 12, 24 and 16 layers, growth 32, for GPUs.

    Args:
        in_channels: Channels of the stem's feature map; the published network has 64.
        norm: As in :class:`DenseNet`.
        activation: As in :class:`DenseNet`.
        dropout: As in :class:`DenseNet`.
        pooling: As in :class:`DenseNet`.
        pooled_regions: As in :class:`DenseNet`.
        dimensions: As in :class:`DenseNet`.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        norm: Literal["batch", "instance"] = "batch",
        activation: Literal["elu", "relu"] = "elu",
        dropout: float = 0.0,
        pooling: Literal["average", "max", "average_max"] = "average",
        pooled_regions: tuple[str, ...] = (),
        dimensions: Dimensions = "3d",
    ) -> None:
        super().__init__(
            in_channels,
            growth_rate=32,
            layers=(6, 12, 24, 16),
            bottleneck=4,
            norm=norm,
            activation=activation,
            dropout=dropout,
            pooling=pooling,
            pooled_regions=pooled_regions,
            dimensions=dimensions,
        )

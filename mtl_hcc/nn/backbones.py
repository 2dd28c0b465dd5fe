"""Backbones: from a stem's feature map to one vector per instance; all share the weights."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from torch import Tensor, nn

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn.instances import Dimensions
from mtl_hcc.nn.norms import Norm, make_norm, replace_batch_norms, spatial_dims
from mtl_hcc.nn.recomputation import recompute_dense_layers
from mtl_hcc.nn.region_pooling import (
    MaskPooling,
    in_blocks,
    masks_of,
    region_means,
    through_layer,
    through_stem,
)

Pooling = Literal["average", "max", "average_max"]


class Backbone(nn.Module, ABC):
    """Turns feature maps into vectors.

    Attributes:
        dimensions: Of the instances that it takes.

    Shapes:
        features: (instance, in_channels, [depth,] height, width).
        regions: maps of the instance on the finer grid of the image, (instance, channel, ...);
            only backbones that pool by region look at them.
        returns: (instance, out_features).
    """

    out_features: int
    dimensions: Dimensions = "3d"

    @abstractmethod
    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        """Return one vector per instance."""

    def start(self) -> None:
        """Take the weights that a training starts from; by default those that were drawn."""


class DenseNet(Backbone):
    """MONAI's DenseNet (Huang 2017) with the stem in place of its first convolution.

    The defaults are compact, for a cohort of some hundred patients on a workstation;
    :class:`DenseNet121` has the published depth.

    Args:
        in_channels: Channels of the stem's feature map.
        growth_rate: Channels that each layer adds.
        layers: Layers of each dense block; resolution is halved between blocks.
        bottleneck: Width of the 1x1x1 convolutions, in multiples of ``growth_rate``.
        norm: ``batch``; ``instance`` or ``group`` for batches of one or two patients, and for bags
            that are sent in chunks.
        activation: ``elu`` as in the paper, or ``relu``.
        dropout: Probability of dropping a new feature.
        pooling: How the last map becomes a vector; ``average_max`` concatenates both.
        pooled_regions: Regions whose mean features are added to the vector, from the map of each
            dense block but the last. The mean over a region does not depend on its size, whereas
            the mean over the field of view mixes how bright a zone is with how large it is.
        mask_pooling: How the regions' masks become as coarse as a map.
        dimensions: ``3d`` for volumes, ``2d`` for slices. The stem has the same setting.
        checkpointing: Whether each dense layer is computed a second time in the backward pass
            instead of being kept: half the memory or less, the same numbers, more time.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        growth_rate: int = 12,
        layers: tuple[int, ...] = (3, 3, 3),
        bottleneck: int = 2,
        norm: Norm = "batch",
        activation: Literal["elu", "relu"] = "elu",
        dropout: float = 0.0,
        pooling: Pooling = "average",
        pooled_regions: tuple[str, ...] = (),
        mask_pooling: MaskPooling = "strided",
        dimensions: Dimensions = "3d",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        network = MonaiDenseNet(
            spatial_dims=spatial_dims(dimensions),
            in_channels=in_channels,
            out_channels=1,
            init_features=in_channels,
            growth_rate=growth_rate,
            block_config=tuple(layers),
            bn_size=bottleneck,
            # In place, the backward hooks of Grad-CAM would raise (pytorch-grad-cam#147).
            act=(activation, {"inplace": False}),
            norm=("batch" if norm == "group" else norm, {"affine": True}),
            dropout_prob=dropout,
        )
        self.features = network.features
        self.features.conv0 = nn.Identity()  # the stem is the first convolution
        self.dimensions = dimensions
        self.activation = nn.ELU() if activation == "elu" else nn.ReLU()
        self.pooling = pooling
        channels = int(network.class_layers.out.in_features)
        self.out_features = channels * (2 if pooling == "average_max" else 1)
        self.pooled_regions, self.mask_pooling = tuple(pooled_regions), mask_pooling
        self.taps = nn.ModuleDict()
        if self.pooled_regions:
            for block in range(1, len(layers)):
                transition = getattr(network.features, f"transition{block}")
                width = int(transition.norm.num_features)
                self.taps[f"denseblock{block}"] = make_norm(norm, width, dimensions)
                self.out_features += width * len(self.pooled_regions)
        if norm == "group":
            replace_batch_norms(self.features, norm, dimensions)
        if checkpointing:
            recompute_dense_layers(self.features)

    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        """Return the pooled last feature map, and the pooled regions of the maps before it."""
        vectors: list[Tensor] = []
        shares = masks_of(self.pooled_regions, regions)
        strided = self.mask_pooling == "strided"
        if self.taps and strided:
            shares = through_stem(shares, features)
        for name, layer in self.features.named_children():
            features = layer(features)  # (instance, channel, [depth,] height, width)
            if self.taps and strided:
                shares = through_layer(shares, layer)
            if name in self.taps:
                if not strided:  # From the shares of the map before: a mean of means.
                    shares = in_blocks(shares, features)
                tapped = self.activation(self.taps[name](features))
                means = region_means(tapped, shares).flatten(1)
                vectors.append(means.to(features.dtype))
        vectors.append(pooled(self.activation(features), self.pooling))
        return torch.cat(vectors, dim=1)


def pooled(features: Tensor, pooling: Pooling) -> Tensor:
    """Return a map's means, maxima or both, (instance, channel or twice as many)."""
    cells = features.flatten(2)
    found = {"average": lambda: cells.mean(dim=2), "max": lambda: cells.amax(dim=2)}
    return torch.cat([found[name]() for name in pooling.split("_")], dim=1)


class DenseNet121(DenseNet):
    """DenseNet-121: blocks of 6, 12, 24 and 16 layers, growth 32, for GPUs.

    Args:
        in_channels: Channels of the stem's feature map; the published network has 64.
        norm: As in :class:`DenseNet`.
        activation: As in :class:`DenseNet`.
        dropout: As in :class:`DenseNet`.
        pooling: As in :class:`DenseNet`.
        pooled_regions: As in :class:`DenseNet`.
        mask_pooling: As in :class:`DenseNet`.
        dimensions: As in :class:`DenseNet`.
        checkpointing: As in :class:`DenseNet`.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        norm: Norm = "batch",
        activation: Literal["elu", "relu"] = "elu",
        dropout: float = 0.0,
        pooling: Pooling = "average",
        pooled_regions: tuple[str, ...] = (),
        mask_pooling: MaskPooling = "strided",
        dimensions: Dimensions = "3d",
        checkpointing: bool = False,
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
            mask_pooling=mask_pooling,
            dimensions=dimensions,
            checkpointing=checkpointing,
        )

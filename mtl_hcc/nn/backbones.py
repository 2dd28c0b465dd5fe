"""Backbones: from a stem's feature map to one vector per volume; phases share the weights."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from monai.networks.nets import DenseNet as MonaiDenseNet
from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Turns feature maps into vectors.

    Shapes:
        features: (volume, in_channels, depth, height, width).
        returns: (volume, out_features).
    """

    out_features: int

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
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
        self.activation = nn.ELU() if activation == "elu" else nn.ReLU()
        self.pooling = pooling
        channels = int(network.class_layers.out.in_features)
        self.out_features = channels * (2 if pooling == "average_max" else 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the pooled last feature map."""
        last: Tensor = self.activation(self.features(features))  # (volume, channel, d, h, w)
        last = last.flatten(2)
        if self.pooling == "average":
            return last.mean(dim=2)
        if self.pooling == "max":
            return last.amax(dim=2)
        return torch.cat([last.mean(dim=2), last.amax(dim=2)], dim=1)


class DenseNet121(DenseNet):
    """DenseNet-121: blocks of 6, 12, 24 and 16 layers, growth 32, for GPUs.

    Args:
        in_channels: Channels of the stem's feature map; the published network has 64.
        norm: As in :class:`DenseNet`.
        activation: As in :class:`DenseNet`.
        dropout: As in :class:`DenseNet`.
        pooling: As in :class:`DenseNet`.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        norm: Literal["batch", "instance"] = "batch",
        activation: Literal["elu", "relu"] = "elu",
        dropout: float = 0.0,
        pooling: Literal["average", "max", "average_max"] = "average",
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
        )

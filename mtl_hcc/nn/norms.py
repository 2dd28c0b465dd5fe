"""Norms of feature maps in 2D and 3D: over the batch, or of each instance alone."""

import math
from typing import Literal

from torch import nn

from mtl_hcc.nn.instances import Dimensions

Norm = Literal["batch", "instance", "group"]
"""``instance`` and ``group`` know no other instance: for tiny batches, and bags sent in chunks."""
_GROUPS = 8


def spatial_dims(dimensions: Dimensions) -> int:
    """Return 2 or 3."""
    return 2 if dimensions == "2d" else 3


def make_norm(norm: Norm, channels: int, dimensions: Dimensions) -> nn.Module:
    """Return a norm with a learned scale and shift.

    Args:
        norm: Which; groups are 8, or the most below that divide the channels.
        channels: Of the map.
        dimensions: Of the map.
    """
    if norm == "group":
        return nn.GroupNorm(math.gcd(_GROUPS, channels), channels)
    flat = dimensions == "2d"
    if norm == "batch":
        return nn.BatchNorm2d(channels) if flat else nn.BatchNorm3d(channels)
    kind = nn.InstanceNorm2d if flat else nn.InstanceNorm3d
    return kind(channels, affine=True)


def replace_batch_norms(network: nn.Module, norm: Norm, dimensions: Dimensions) -> None:
    """Put other norms in the places of a network's batch norms; their names stay.

    Args:
        network: Changed in place.
        norm: Which.
        dimensions: Of the network's maps.
    """
    if norm == "batch":
        return
    for parent in list(network.modules()):
        for name, part in parent.named_children():
            if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
                setattr(parent, name, make_norm(norm, part.num_features, dimensions))

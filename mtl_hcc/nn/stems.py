"""Stems: the first convolutions, which decide what of the image each region contributes."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mtl_hcc.batch import RegionMaps
from mtl_hcc.nn.instances import Dimensions


class Stem(nn.Module, ABC):
    """Turns images and region maps into the backbone's first feature map.

    Attributes:
        dimensions: Of the instances that it takes.

    Shapes:
        images: (instance, in_channels, depth, height, width), float in [0, 1]; without depth for
            instances that are slices.
        regions: maps of the same shape.
        returns: (instance, out_channels, depth', height', width').
    """

    out_channels: int
    dimensions: Dimensions = "3d"

    @abstractmethod
    def forward(self, images: Tensor, regions: RegionMaps) -> Tensor:
        """Return the first feature map."""


class RegionStem(Stem):
    """One convolution for each region, summed: the region-of-interest enhancement.

    ``out = sum_r conv_r([image * mask_r, mask_r])``, so each region has filters of its own and a
    dark voxel inside a region differs from no region at all (section "Neural network structure" of
    the CT multi-task paper: "three 3D convolutional layers corresponding to background liver
    tissue, tumor margins, and the tumor itself").

    The sum of convolutions is computed as a single convolution over the concatenated channels,
    which is the same thing and one call.

    Args:
        in_channels: Channels of an instance.
        out_channels: Channels of the feature map.
        regions: Regions that get a convolution each.
        kernel_size: Edge of the kernel in voxels.
        stride: Stride in voxels; the feature map is this much coarser than the image.
        dimensions: ``3d`` for volumes, ``2d`` for slices. The backbone has the same setting.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        out_channels: int = 16,
        regions: tuple[str, ...] = ("background_liver", "margin", "tumor"),
        kernel_size: int = 3,
        stride: int = 2,
        dimensions: Dimensions = "3d",
    ) -> None:
        super().__init__()
        self.out_channels, self.dimensions = out_channels, dimensions
        self.regions = tuple(regions)
        self.convolution = _convolution(
            2 * in_channels * len(self.regions), out_channels, kernel_size, stride, dimensions
        )

    def forward(self, images: Tensor, regions: RegionMaps) -> Tensor:
        """Return the summed region features."""
        count = len(self.regions)
        # (instance, channel, [depth,] height, width, region twice): one look-up writes the masks
        # to both their places, and the first become images.
        seen = regions.masks(self.regions * 2, dtype=images.dtype)
        seen[..., :count].mul_(images[..., None])
        # Regions before channels. Of a single channel nothing is copied, and the map is
        # channels last in memory.
        features: Tensor = self.convolution(seen.movedim(-1, 1).flatten(1, 2))
        return features


class PlainStem(Stem):
    """One convolution over the image alone: the ablation without region stems.

    Args:
        in_channels: Channels of an instance.
        out_channels: Channels of the feature map.
        kernel_size: As in :class:`RegionStem`.
        stride: As in :class:`RegionStem`.
        dimensions: As in :class:`RegionStem`.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        out_channels: int = 16,
        kernel_size: int = 3,
        stride: int = 2,
        dimensions: Dimensions = "3d",
    ) -> None:
        super().__init__()
        self.out_channels, self.dimensions = out_channels, dimensions
        self.convolution = _convolution(in_channels, out_channels, kernel_size, stride, dimensions)

    def forward(self, images: Tensor, regions: RegionMaps) -> Tensor:
        """Return the features of the image; ``regions`` is not looked at."""
        features: Tensor = self.convolution(images)
        return features


def _convolution(
    channels: int, out_channels: int, kernel_size: int, stride: int, dimensions: Dimensions
) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution that keeps the size up to its stride."""
    kind = nn.Conv2d if dimensions == "2d" else nn.Conv3d
    return kind(
        channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
    )

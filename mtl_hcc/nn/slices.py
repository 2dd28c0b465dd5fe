"""2D networks on volumes: every axial slice goes through the same weights, and none sees another.

Kernels are one voxel deep, so maps keep the axes (volume, channel, depth, height, width) and their
full depth; what looks at maps (pooling by region, activation maps) needs no second version.
"""

from typing import Literal

from torch import Tensor, nn

Dimensions = Literal["3d", "2d"]
"""``3d``: cubic kernels. ``2d``: each axial slice on its own."""


def kernel_shape(edge: int, dimensions: Dimensions) -> tuple[int, int, int]:
    """Return a kernel (depth, height, width) of this edge, one voxel deep in 2D."""
    return (edge if dimensions == "3d" else 1, edge, edge)


def padding_shape(edge: int, dimensions: Dimensions) -> tuple[int, int, int]:
    """Return the padding that keeps the size under a kernel of this (odd) edge."""
    return (edge // 2 if dimensions == "3d" else 0, edge // 2, edge // 2)


class SliceNorm(nn.InstanceNorm3d):
    """Instance norm with the statistics of each axial slice instead of the volume's."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (the name in torch)
        """Return (volume, channel, depth, height, width), each slice normalized."""
        slices = input.transpose(1, 2).flatten(0, 1)[:, :, None]  # (volume * depth, channel, 1, ..)
        normalized: Tensor = super().forward(slices)[:, :, 0]
        shape = (len(input), input.shape[2], *normalized.shape[1:])
        return normalized.reshape(shape).transpose(1, 2)


def slice_by_slice(network: nn.Module) -> nn.Module:
    """Turn every layer of a 3D network into its 2D version, in place.

    Convolutions and poolings lose the depth of kernel, stride and padding; the new convolutions
    are initialized as MONAI initializes its own (He 2015). Names of the parameters stay.

    Args:
        network: Of convolutions, poolings and norms for volumes, cubic as MONAI makes them.
    """
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            flat = _in_plane(layer)
            if flat is not None:
                setattr(parent, name, flat)
    return network


def _in_plane(layer: nn.Module) -> nn.Module | None:
    """Return the 2D version of one layer; None where there is nothing to change."""
    if isinstance(layer, nn.Conv3d) and layer.kernel_size[0] > 1:
        kernel = kernel_shape(layer.kernel_size[1], "2d")
        padding = padding_shape(layer.kernel_size[1], "2d")
        flat = nn.Conv3d(
            layer.in_channels,
            layer.out_channels,
            kernel,
            stride=(1, layer.stride[1], layer.stride[2]),
            padding=padding,
            bias=layer.bias is not None,
        )
        nn.init.kaiming_normal_(flat.weight)
        return flat
    if isinstance(layer, nn.MaxPool3d):
        edge, stride = _edge(layer.kernel_size), _edge(layer.stride)
        return nn.MaxPool3d((1, edge, edge), (1, stride, stride), padding_shape(edge, "2d"))
    if isinstance(layer, nn.AvgPool3d):
        edge, stride = _edge(layer.kernel_size), _edge(layer.stride)
        return nn.AvgPool3d((1, edge, edge), (1, stride, stride))
    if isinstance(layer, nn.InstanceNorm3d) and not isinstance(layer, SliceNorm):
        return SliceNorm(layer.num_features, affine=layer.affine)
    return None


def _edge(size: int | tuple[int, int, int] | None) -> int:
    """Return the edge of a cube that torch keeps as one number or as three."""
    if isinstance(size, int):
        return size
    if size is None:
        raise ValueError("a pooling without a size")
    return size[1]

"""ResNet: MONAI's residual network behind a stem, from fresh weights or those of a file."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from monai.networks.nets import ResNet as MonaiResNet
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mtl_hcc.batch import RegionMaps
from mtl_hcc.errors import ConfigError
from mtl_hcc.nn.backbones import Backbone, Pooling, pooled
from mtl_hcc.nn.instances import Dimensions
from mtl_hcc.nn.norms import Norm, replace_batch_norms, spatial_dims

_LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
_NOT_OURS = ("conv1.", "fc.")
"""Of a file: the stem is the first convolution, heads give the outputs."""


class ResNet(Backbone):
    """MONAI's ResNet (He 2016; 3D: Hara 2018) with the stem in place of its first convolution.

    Args:
        in_channels: Channels of the stem's feature map. Other than ``width``, a 1 x 1 convolution
            brings them to it.
        depth: 18, 34 or 50 layers.
        width: Channels of the first stage; the published network has 64. Halved at each stage, the
            map has eight times as many in the end (32 times with 50 layers).
        norm: As in :class:`DenseNet`.
        pooling: As in :class:`DenseNet`.
        dimensions: As in :class:`DenseNet`.
        weights: File (``.safetensors``, or ``.pth`` of tensors only) to start a training from, with
            torchvision's or MONAI's names; what it holds of the first convolution and the outputs
            is not used. Read when a training starts, never downloaded.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        depth: Literal[18, 34, 50] = 18,
        width: int = 64,
        norm: Norm = "batch",
        pooling: Pooling = "average",
        dimensions: Dimensions = "3d",
        weights: str | None = None,
    ) -> None:
        super().__init__()
        network = MonaiResNet(
            "bottleneck" if depth == 50 else "basic",
            list(_LAYERS[depth]),
            [width, 2 * width, 4 * width, 8 * width],
            spatial_dims=spatial_dims(dimensions),
            n_input_channels=1,
            feed_forward=False,
            bias_downsample=False,  # as torchvision has it
        )
        for part in network.modules():
            if isinstance(part, nn.ReLU):
                part.inplace = False  # else the hooks of Grad-CAM would raise
        replace_batch_norms(network, norm, dimensions)
        first: nn.Module = nn.Identity()
        if in_channels != width:
            convolution = nn.Conv2d if dimensions == "2d" else nn.Conv3d
            first = convolution(in_channels, width, 1, bias=False)
        names = ("bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")
        self.features = nn.Sequential()
        self.features.add_module("width", first)
        for name in names:
            self.features.add_module(name, network.get_submodule(name))
        self.dimensions, self.pooling, self.weights = dimensions, pooling, weights
        last = width * 8 * (4 if depth == 50 else 1)
        self.out_features = last * len(pooling.split("_"))

    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        """Return the pooled last feature map; ``regions`` is not looked at."""
        return pooled(self.features(features), self.pooling)

    def start(self) -> None:
        """Take the weights of the file, if one is named.

        Raises:
            ConfigError: No such file, or not of this network.
        """
        if self.weights is not None:
            load_weights(self.features, Path(self.weights))


def load_weights(features: nn.Module, path: Path) -> None:
    """Load weights by name, every one of the network's.

    Args:
        features: The network.
        path: ``.safetensors``, or a file that ``torch.save`` wrote of tensors only.

    Raises:
        ConfigError: names what is missing, of another shape, or not of this network.
    """
    found = _read(path)
    ours = {
        name: tensor
        for name, tensor in features.state_dict().items()
        if not name.startswith("width.")
    }
    given = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    given = {name: tensor for name, tensor in given.items() if not name.startswith(_NOT_OURS)}
    missing = [n for n in ours if n not in given and not n.endswith("num_batches_tracked")]
    foreign = [name for name in given if name not in ours]
    shapes = [
        f"{name} {tuple(given[name].shape)}, here {tuple(tensor.shape)}"
        for name, tensor in ours.items()
        if name in given and given[name].shape != tensor.shape
    ]
    for what, names in (("lacks", missing), ("has other shapes:", shapes), ("also has", foreign)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ConfigError(
                f"the file {what} {', '.join(names[:3])}{more}",
                where=f"{path}, backbone.weights",
                expected="the weights of a ResNet of this depth, width, norm and dimensions",
                remedy="Correct these settings, or take another file.",
            )
    features.load_state_dict(given, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        read = torch.load(path, map_location="cpu", weights_only=True)
    # By all of these torch and safetensors say that a file is not theirs.
    except (OSError, SafetensorError, UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"cannot be read ({why})",
            where=f"{path}, backbone.weights",
            expected=".safetensors, or a file that torch.save wrote of tensors only",
            remedy="Correct the path, or leave the setting out.",
        ) from error
    read = read.get("state_dict", read) if isinstance(read, dict) else read
    if not isinstance(read, dict) or not all(isinstance(t, Tensor) for t in read.values()):
        raise ConfigError(
            "holds no named tensors", where=f"{path}, backbone.weights", remedy="Take another file."
        )
    return read

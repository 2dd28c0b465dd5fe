"""Networks so small that their maps can be worked out by hand."""

import torch
from one_view import view_batch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch, RegionMaps
from mtl_hcc.nn import (
    Aggregator,
    Backbone,
    ClassHead,
    Concatenate,
    CoxHead,
    FullyConnected,
    ImageEncoder,
    PatientNetwork,
    Stem,
    Volumes,
)

EDGE = 6


class LinearStem(Stem):
    """Channel k is the image times weight k."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.out_channels = len(weights)
        self.convolution = nn.Conv3d(1, len(weights), 1, bias=False)
        self.convolution.weight.data = torch.tensor(weights)[:, None, None, None, None]

    def forward(self, images: Tensor, regions: RegionMaps) -> Tensor:
        return self.convolution(images)


class MeanBackbone(Backbone):
    """The mean of each channel over everything, or over the tumor."""

    def __init__(self, in_channels: int, *, of_tumor: bool = False) -> None:
        super().__init__()
        self.out_features = in_channels
        self.of_tumor = of_tumor
        self.last = nn.Identity()

    def forward(self, features: Tensor, regions: RegionMaps | None = None) -> Tensor:
        if not self.of_tumor:
            return features.mean(dim=(2, 3, 4))
        inside = regions.mask("tumor").to(features.dtype)
        return (features * inside).sum(dim=(2, 3, 4)) / inside.sum(dim=(2, 3, 4))


def linear_network(
    stem: list[float],
    *,
    os: list[float],
    mvi: list[list[float]],
    phases: int = 2,
    of_tumor: bool = False,
    aggregator: Aggregator | None = None,
    width: int | None = None,
) -> PatientNetwork:
    """Return a network that is linear: score = sum over phases and channels of v x mean(w image).

    Args:
        stem: Weight w of each channel.
        os: Weights v of the Cox head, channels of the first phase first.
        mvi: Weights of both classes, likewise.
        phases: Number of phases.
        of_tumor: Whether the mean is taken over the tumor only.
        aggregator: In place of concatenation.
        width: Of a projection, which is zero at first.
    """
    joined = aggregator or Concatenate(width or len(stem), phases=phases)
    heads = {
        "os": CoxHead(joined.out_features, endpoint="os"),
        "mvi": ClassHead(joined.out_features, column="mvi"),
    }
    heads["os"].layer.weight.data = torch.tensor([os])
    heads["mvi"].layer.weight.data = torch.tensor(mvi)
    image = ImageEncoder(
        instances=Volumes(),
        stem=LinearStem(stem),
        backbone=MeanBackbone(len(stem), of_tumor=of_tumor),
        aggregator=joined,
        width=width,
    )
    fusion = FullyConnected([joined.out_features], widths=())
    network = PatientNetwork(encoders={"tumor": image}, clinical=None, fusion=fusion, heads=heads)
    return network.requires_grad_(False).eval()


def one_patient(phases: int = 2, *, seed: int = 0, present: list[bool] | None = None):
    """Return a patient of noise with a cube of liver and a smaller one of tumor."""
    generator = torch.Generator().manual_seed(seed)
    shape = (1, phases, EDGE, EDGE, EDGE)
    regions = torch.zeros(shape, dtype=torch.uint8)
    regions[..., 1:, 1:, 1:] |= 1
    regions[..., 2:4, 2:4, 2:4] |= 2
    unknown = torch.tensor([float("nan")])
    return PatientBatch(
        patient_id=["P1"],
        center=["I"],
        split=["external"],
        index=torch.zeros(1, dtype=torch.long),
        views={
            "tumor": view_batch(
                torch.rand(shape, generator=generator),
                regions,
                torch.tensor([present or [True] * phases]),
            )
        },
        covariates=None,
        targets={"os_days": unknown, "os_event": unknown, "mvi": unknown},
    )

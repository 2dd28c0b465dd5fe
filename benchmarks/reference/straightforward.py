"""The training step as one would write it first: what ``benchmarks/train_step.py`` compares with.

The same network as ``benchmarks/reference/ct_mtl.yaml`` (weights of ours load, and give the same
outputs in evaluation mode), put together from the usual libraries without a thought of speed: one
patient after the other turned by TorchIO, one phase after the other through MONAI's DenseNet with
one convolution for each region, TorchSurv's Momentum around its Cox loss, AdamW.
"""

from collections.abc import Mapping, Sequence

import torch
import torchio as tio
from monai.networks.nets import DenseNet
from torch import Tensor, nn
from torch.nn import functional
from torchsurv.loss.cox import neg_partial_log_likelihood
from torchsurv.loss.momentum import Momentum

LIVER, TUMOR, MARGIN = 1, 2, 4
"""Bits of the region maps."""
BATCHES_REMEMBERED = 8


def masks_of(regions: Tensor) -> list[Tensor]:
    """Return background liver, margin and tumor as float, each of the shape of ``regions``."""
    background = ((regions & LIVER) > 0) & ((regions & (TUMOR | MARGIN)) == 0)
    return [background.float(), ((regions & MARGIN) > 0).float(), ((regions & TUMOR) > 0).float()]


class PhaseNetwork(nn.Module):
    """One phase to a vector: a convolution for each region, MONAI's DenseNet, means by region."""

    def __init__(self) -> None:
        super().__init__()
        self.stems = nn.ModuleList(
            nn.Conv3d(2, 16, 3, stride=2, padding=1, bias=False) for _ in range(3)
        )
        network = DenseNet(
            spatial_dims=3,
            in_channels=16,
            out_channels=1,
            init_features=16,
            growth_rate=12,
            block_config=(3, 3, 3),
            bn_size=2,
            act=("elu", {"inplace": False}),
        )
        self.features = network.features
        self.features.conv0 = nn.Identity()
        self.taps = nn.ModuleDict(
            {"denseblock1": nn.BatchNorm3d(52), "denseblock2": nn.BatchNorm3d(62)}
        )

    def forward(self, images: Tensor, regions: Tensor) -> Tensor:
        """Return (patient, feature) of (patient, 1, depth, height, width)."""
        masks = masks_of(regions)
        features = sum(
            stem(torch.cat([images * mask, mask], dim=1))
            for stem, mask in zip(self.stems, masks, strict=True)
        )
        vectors, shares = [], torch.cat(masks, dim=1)
        for name, layer in self.features.named_children():
            features = layer(features)
            if name in self.taps:
                shares = functional.adaptive_avg_pool3d(shares, features.shape[2:])
                tapped = functional.elu(self.taps[name](features))
                for region in shares.unbind(1):
                    total = (tapped * region[:, None]).sum(dim=(2, 3, 4))
                    vectors.append(total / region.sum(dim=(1, 2, 3))[:, None].clamp(min=1e-6))
        vectors.append(functional.elu(features).mean(dim=(2, 3, 4)))
        return torch.cat(vectors, dim=1)


class ReferenceNetwork(nn.Module):
    """Three phases, one after the other, concatenated; OS, RFS and MVI from one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = PhaseNetwork()
        self.fusion = nn.Sequential(nn.LazyLinear(64), nn.ELU(), nn.Dropout(0.3))
        self.survival, self.mvi = nn.Linear(64, 2, bias=False), nn.Linear(64, 2)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return (patient, 4): log hazard of OS and RFS, two logits of MVI."""
        images, regions = inputs
        phases = [
            self.phase(images[:, [phase]], regions[:, [phase]]) for phase in range(images.shape[1])
        ]
        embedding = self.fusion(torch.cat(phases, dim=1))
        return torch.cat([self.survival(embedding), self.mvi(embedding)], dim=1)

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of ``MultiTaskModule.network`` of the shipped design."""
        encoder = "encoders.tumor."
        stem = weights[f"{encoder}stem.convolution.weight"]
        for place, convolution in enumerate(self.phase.stems):
            convolution.weight.copy_(stem[:, [place, place + 3]])
        own = self.state_dict()
        for name, value in weights.items():
            ours = name.replace(f"{encoder}backbone.", "phase.").replace("fusion.layers", "fusion")
            ours = ours.replace("heads.mvi.layer", "mvi")
            if ours in own:
                own[ours] = value
        names = ("os", "rfs")
        own["survival.weight"] = torch.cat(
            [weights[f"heads.{name}.layer.weight"] for name in names]
        )
        self.load_state_dict(own)


def losses(outputs: Tensor, labels: Tensor, days: Tensor) -> Tensor:
    """Return the sum of both Cox losses and the cross-entropy.

    Args:
        outputs: (patient, 4) of the network.
        labels: (patient, 3) event of OS, event of RFS, MVI.
        days: (patient, 2) of OS and RFS.
    """
    total = functional.cross_entropy(outputs[:, 2:], labels[:, 2].long())
    for task in range(2):
        event, time = labels[:, task] > 0, days[:, task]
        total = total + neg_partial_log_likelihood(outputs[:, task], event, time)
    return total


def turned(images: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """Return one patient turned by any angle: images linearly, labels to the nearest voxel."""
    subject = tio.Subject(
        images=tio.ScalarImage(tensor=images), regions=tio.LabelMap(tensor=regions)
    )
    moved = tio.RandomAffine(scales=0, degrees=180, default_pad_value=0)(subject)
    return moved["images"].data, moved["regions"].data.byte()


class ReferenceStep:
    """Training steps of the straightforward network.

    Args:
        weights: Of ours, to begin with.
        batch_size: Patients.
        device: Where it trains.
        momentum: TorchSurv's Momentum; the Cox loss of the batch alone without it.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], *, batch_size: int, device: str, momentum: bool = True
    ) -> None:
        self.network, self.device = ReferenceNetwork(), device
        edge = 32
        empty = torch.zeros(2, 3, edge, edge, edge)
        self.network.eval()((empty, empty.byte()))  # gives the lazy layer its width
        self.network.load(weights)
        self.network.train().to(device)
        self.trained: nn.Module = self.network
        if momentum:
            steps = BATCHES_REMEMBERED
            self.trained = Momentum(self.network, losses, batchsize=batch_size, steps=steps)
        self.optimizer = torch.optim.AdamW(
            [part for part in self.trained.parameters() if part.requires_grad],
            lr=1e-3,
            weight_decay=5e-2,
        )

    def __call__(
        self, patients: Sequence[tuple[Tensor, Tensor]], labels: Tensor, days: Tensor
    ) -> None:
        """Train on some turned patients: each (phase, depth, height, width) images and regions."""
        inputs = (
            torch.stack([images for images, _ in patients]).to(self.device),
            torch.stack([regions for _, regions in patients]).to(self.device),
        )
        labels, days = labels.to(self.device), days.to(self.device)
        self.optimizer.zero_grad()
        if isinstance(self.trained, Momentum):
            loss = self.trained(inputs, labels, days)
        else:
            loss = losses(self.trained(inputs), labels, days)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        self.optimizer.step()

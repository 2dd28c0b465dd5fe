"""Aggregators: from the vectors of a patient's instances to one vector per patient."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mtl_hcc.nn.bag import Bag


class Aggregator(nn.Module, ABC):
    """Combines the instances of a patient.

    Shapes:
        bag: features (patient, instance, in_features), and which are present, of which phase,
            and where; what is not present must not matter.
        returns: (patient, out_features).
    """

    out_features: int

    @abstractmethod
    def forward(self, bag: Bag) -> Tensor:
        """Return one vector per patient."""


class Concatenate(Aggregator):
    """The phases side by side, in their fixed order: ``[x_arterial, x_portal_venous, x_delayed]``.

    A missing phase is replaced by a learned vector of its own.

    Args:
        in_features: Width of a phase's vector.
        phases: How many phases the images have.
    """

    def __init__(self, in_features: int, *, phases: int = 3) -> None:
        super().__init__()
        self.out_features = in_features * phases
        self.phases = phases
        self.missing = nn.Parameter(torch.zeros(phases, in_features))

    def forward(self, bag: Bag) -> Tensor:
        """Return the concatenated vectors."""
        instances, present = bag.features, bag.present
        if instances.shape[1] != self.missing.shape[0]:
            raise ValueError(
                f"images have {instances.shape[1]} phases but the aggregator was made for "
                f"{self.missing.shape[0]}; set model.aggregator.init_args.phases"
            )
        return torch.where(present[..., None], instances, self.missing).flatten(1)


class Mean(Aggregator):
    """The mean of the present phases: ``sum_i p_i x_i / sum_i p_i``.

    Args:
        in_features: Width of a phase's vector.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    def forward(self, bag: Bag) -> Tensor:
        """Return the mean vectors; zero for a patient without any phase."""
        instances, present = bag.features, bag.present
        weight = present[..., None].to(instances.dtype)
        return (torch.where(present[..., None], instances, 0.0) * weight).sum(1) / weight.sum(
            1
        ).clamp(min=1)


class GatedAttention(Aggregator):
    """Gated attention (Ilse 2018): ``z = sum_i a_i x_i``, ``a = softmax w (tanh(V x) * s(U x))``.

    Args:
        in_features: Width of a phase's vector.
        hidden: Width of the attention's hidden layer.
    """

    def __init__(self, in_features: int, *, hidden: int = 32) -> None:
        super().__init__()
        self.out_features = in_features
        self.content = nn.Linear(in_features, hidden)
        self.gate = nn.Linear(in_features, hidden)
        self.score = nn.Linear(hidden, 1)

    def attention(self, bag: Bag) -> Tensor:
        """Return (patient, instance) weights that sum to 1 over the present instances."""
        instances, present = bag.features, bag.present
        hidden = torch.tanh(self.content(instances)) * torch.sigmoid(self.gate(instances))
        score = self.score(hidden).squeeze(-1).float()
        # A finite floor, not -inf: a patient without any instance gets equal weights, not NaN.
        score = score.masked_fill(~present, torch.finfo(score.dtype).min)
        return torch.softmax(score, dim=1).to(instances.dtype)

    def forward(self, bag: Bag) -> Tensor:
        """Return the attention-weighted sums."""
        instances = torch.where(bag.present[..., None], bag.features, 0.0)
        return torch.einsum("pi,pif->pf", self.attention(bag.with_features(instances)), instances)

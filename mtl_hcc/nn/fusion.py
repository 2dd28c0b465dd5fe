"""Fusions: image and clinical vectors become the embedding that all heads share."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Fusion(nn.Module, ABC):
    """Joins what is known of a patient.

    Shapes:
        parts: tensors (patient, features_k), whose widths add up to ``in_features``.
        returns: (patient, out_features).
    """

    out_features: int

    @abstractmethod
    def forward(self, parts: list[Tensor]) -> Tensor:
        """Return the embedding."""


class FullyConnected(Fusion):
    """Concatenation, then blocks of linear layer, batch norm, ELU and dropout.

    Args:
        in_features: Width of all parts together.
        widths: Width of each block; none keeps the concatenation as the embedding.
        dropout: Probability of dropping a feature.
        norm: Whether each block normalizes over the batch.
    """

    def __init__(
        self,
        in_features: int,
        *,
        widths: tuple[int, ...] = (64,),
        dropout: float = 0.3,
        norm: bool = False,
    ) -> None:
        super().__init__()
        if min(widths, default=1) < 1:
            raise ValueError(f"fusion.widths is {list(widths)}; expected 1 or more for each")
        layers: list[nn.Module] = []
        for width in widths:
            layers.append(nn.Linear(in_features, width))
            if norm:
                layers.append(nn.BatchNorm1d(width))
            layers += [nn.ELU(), nn.Dropout(dropout)]
            in_features = width
        self.layers = nn.Sequential(*layers)
        self.out_features = in_features

    def forward(self, parts: list[Tensor]) -> Tensor:
        """Return the embedding of the concatenated parts."""
        embedding: Tensor = self.layers(torch.cat(parts, dim=1))
        return embedding

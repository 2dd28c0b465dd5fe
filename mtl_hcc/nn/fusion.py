"""Fusions: image and clinical vectors become the embedding that all heads share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Fusion(nn.Module, ABC):
    """Joins what is known of a patient.

    Shapes:
        parts: tensors (patient, features_k), of the widths that it was made for.
        known: (patient, part) bool: False where a view shows nothing of a patient.
        returns: (patient, out_features).
    """

    out_features: int

    @abstractmethod
    def forward(self, parts: list[Tensor], known: Tensor) -> Tensor:
        """Return the embedding."""


class FullyConnected(Fusion):
    """Concatenation, then blocks of linear layer, batch norm, ELU and dropout.

    Args:
        part_widths: Width of each part.
        widths: Width of each block; none keeps the concatenation as the embedding.
        dropout: Probability of dropping a feature.
        norm: Whether each block normalizes over the batch.
        skip: Whether the concatenation itself stands beside the last block in the embedding, so
            that a head is a linear model of the parts and of what the blocks make of them ("wide
            and deep", Cheng 2016, arXiv 1606.07792).
    """

    def __init__(
        self,
        part_widths: Sequence[int],
        *,
        widths: tuple[int, ...] = (64,),
        dropout: float = 0.3,
        norm: bool = False,
        skip: bool = False,
    ) -> None:
        super().__init__()
        if min(widths, default=1) < 1:
            raise ValueError(f"fusion.widths is {list(widths)}; expected 1 or more for each")
        in_features = sum(part_widths)
        layers: list[nn.Module] = []
        for width in widths:
            layers.append(nn.Linear(in_features, width))
            if norm:
                layers.append(nn.BatchNorm1d(width))
            layers += [nn.ELU(), nn.Dropout(dropout)]
            in_features = width
        self.layers = nn.Sequential(*layers)
        self.skip = skip and len(widths) > 0
        self.out_features = in_features + (sum(part_widths) if self.skip else 0)

    def forward(self, parts: list[Tensor], known: Tensor) -> Tensor:
        """Return the embedding of the concatenated parts, whether known or not."""
        together = torch.cat(parts, dim=1)
        embedding: Tensor = self.layers(together)
        return torch.cat([embedding, together], dim=1) if self.skip else embedding


class GatedFusion(Fusion):
    r"""A learned gate for each part (gated multimodal unit, Arevalo 2017, for any number of parts).

    :math:`z = \sum_k g_k \odot \tanh(W_k x_k + b_k)` with
    :math:`g_k = p_k\, \sigma(U_k [p_1 x_1, ..., p_K x_K] + c_k)`, where :math:`p_k` is 1 for a
    known part and 0 for a missing one: its gate is closed, and no other gate sees it. Dropout
    follows.

    Args:
        part_widths: Width of each part.
        width: Of the embedding.
        dropout: Probability of dropping a feature of the embedding.
    """

    def __init__(
        self, part_widths: Sequence[int], *, width: int = 64, dropout: float = 0.3
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"fusion.width is {width}; expected 1 or more")
        self.content = nn.ModuleList(nn.Linear(features, width) for features in part_widths)
        self.gate = nn.ModuleList(nn.Linear(sum(part_widths), width) for _ in part_widths)
        self.dropout = nn.Dropout(dropout)
        self.out_features = width

    def forward(self, parts: list[Tensor], known: Tensor) -> Tensor:
        """Return the gated sum; zero for a patient of whom nothing is known."""
        there = known.unbind(1)
        parts = [part.where(p[:, None], 0.0) for part, p in zip(parts, there, strict=True)]
        together = torch.cat(parts, dim=1)
        gated = [
            torch.sigmoid(gate(together)) * torch.tanh(content(part)) * p[:, None]
            for part, content, gate, p in zip(parts, self.content, self.gate, there, strict=True)
        ]
        embedding: Tensor = self.dropout(torch.stack(gated).sum(0))
        return embedding

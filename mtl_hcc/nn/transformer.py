"""Transformer: an aggregator whose instances see each other, and know their phase and place."""

import math

import torch
from torch import Tensor, nn

from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.bag import Bag

_SHORTEST_MM, _LONGEST_MM = 2.0, 500.0
"""Wavelengths of the place: a thin slice, and beyond the longest liver."""


class Transformer(Aggregator):
    """Self-attention among the present instances and a summary token, whose state is the result.

    ``x_i -> W x_i + phase_i + s(place_i)``, with a learned vector for each phase and sines and
    cosines of the place in millimeters (Vaswani 2017, section 3.5), then encoder layers with the
    normalization first.

    Args:
        in_features: Width of an instance's vector.
        phases: How many phases the view has.
        width: Of the tokens; a multiple of ``attention_heads``, and even.
        layers: Encoder layers.
        attention_heads: Of each layer.
        dropout: Of each layer.
    """

    def __init__(
        self,
        in_features: int,
        *,
        phases: int = 3,
        width: int = 64,
        layers: int = 2,
        attention_heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if width % 2 or width % attention_heads:
            raise ValueError(
                f"aggregator.width is {width}; expected an even multiple of attention_heads "
                f"({attention_heads})"
            )
        self.phases, self.out_features = phases, width
        self.token = nn.Linear(in_features, width)
        self.of_phase = nn.Embedding(phases, width)
        self.summary = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width,
            attention_heads,
            dim_feedforward=2 * width,
            dropout=dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )

    def reset_parameters(self) -> None:
        """Draw anew what no layer of torch's does by itself."""
        nn.init.zeros_(self.summary)
        for layer in self.layers.modules():
            if isinstance(layer, nn.MultiheadAttention):
                nn.init.xavier_uniform_(layer.in_proj_weight)
                nn.init.zeros_(layer.in_proj_bias)

    def forward(self, bag: Bag) -> Tensor:
        """Return the summary token; of a patient without any instance it sees only itself."""
        if bag.phases != self.phases:
            raise ValueError(
                f"images have {bag.phases} phases but the aggregator was made for {self.phases}; "
                "set aggregator.init_args.phases of the encoder"
            )
        tokens = self.token(bag.zeroed)
        tokens = tokens + self.of_phase(bag.phase) + self._place(bag.place_mm).to(tokens.dtype)
        summary = self.summary.to(tokens.dtype).expand(len(tokens), -1, -1)
        absent = torch.cat([torch.zeros_like(bag.present[:, :1]), ~bag.present], dim=1)
        seen: Tensor = self.layers(torch.cat([summary, tokens], dim=1), src_key_padding_mask=absent)
        return seen[:, 0]

    def _place(self, place_mm: Tensor) -> Tensor:
        """Return (patient, instance, width): sines, then cosines."""
        half = self.out_features // 2
        steps = torch.linspace(
            math.log(_SHORTEST_MM), math.log(_LONGEST_MM), half, device=place_mm.device
        )
        angle = 2 * math.pi * place_mm[..., None].float() / steps.exp()
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

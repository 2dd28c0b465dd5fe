"""Memory for time: what a dense layer makes inside is made again in the backward pass."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class RecomputedLayer(nn.Module):
    """A dense layer, ``[x, layers(x)]``, that keeps nothing but its input until the backward pass.

    Outputs, gradients and statistics of the norms are those of the layer itself, and so are the
    names of its weights.

    Args:
        layers: Norms, activations and convolutions.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, features: Tensor) -> Tensor:
        """Return the features with the new ones behind them."""
        if torch.is_grad_enabled():
            # Dropout draws the same again: the state of the random generator is kept.
            new = checkpoint(self.layers, features, use_reentrant=False, context_fn=self._contexts)
        else:
            new = self.layers(features)
        return torch.cat([features, new], dim=1)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_stay(self.layers)


@contextmanager
def _statistics_stay(layers: nn.Module) -> Iterator[None]:
    """Let batch norms see the same batch a second time without noting it down."""
    norms = [
        part
        for part in layers.modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    counts = [None if count is None else count.clone() for _, count in before]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count), kept in zip(norms, before, counts, strict=True):
            norm.momentum = momentum
            if count is not None and kept is not None:
                count.copy_(kept)


def recompute_dense_layers(network: nn.Module) -> None:
    """Make every dense layer of MONAI's DenseNet a :class:`RecomputedLayer`.

    Args:
        network: Changed in place; names and values of the weights stay.
    """
    for block in [part for name, part in network.named_children() if "denseblock" in name]:
        for name, layer in list(block.named_children()):
            setattr(block, name, RecomputedLayer(layer.get_submodule("layers")))

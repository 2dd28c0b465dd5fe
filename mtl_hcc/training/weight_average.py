"""Averages of the network over a training's steps: the one that predicts, and the bank's target."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mtl_hcc.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class WeightAverage:
    r"""Which steps of a training the weights that are validated, kept and exported are a mean of.

    Training itself goes on with the weights of its last step. After optimizer step t, counted from
    the first that is averaged, the average is

    .. math::
        \bar w_t = d_t \bar w_{t-1} + (1 - d_t) w_t, \quad
        d_t = \min\left(d, \frac{1 + t}{10 + t}\right), \quad \bar w_0 = w_0,

    so that a short training is not held at its beginning; without a decay d it is the equal mean of
    all these steps (stochastic weight averaging). Statistics of batch norms are averaged alike.

    Args:
        decay: d, above 0 and below 1; it looks back some 1 / (1 - d) steps. ``null`` for the equal
            mean.
        start: Share of ``trainer.max_epochs`` before which nothing is averaged, 0 to below 1; with
            an equal mean, e.g. 0.75.

    References:
        Polyak and Juditsky 1992; Izmailov et al. 2018, arXiv 1803.05407; the warm-up is that of
        TensorFlow's ExponentialMovingAverage.
    """

    decay: float | None = 0.99
    start: float = 0.0

    def __post_init__(self) -> None:
        if self.decay is not None and not 0 < self.decay < 1:
            raise ValueError(
                f"model.weight_average.decay is {self.decay:g}; expected above 0 and below 1, e.g. "
                "0.99, or null for the equal mean"
            )
        if not 0 <= self.start < 1:
            raise ValueError(
                f"model.weight_average.start is {self.start:g}; expected a share of "
                "trainer.max_epochs, 0 to below 1"
            )

    def first_epoch(self, max_epochs: int | None) -> int:
        """Return the first epoch, from 0, whose steps are averaged.

        Args:
            max_epochs: Of the trainer; nothing, or a negative number, for a training without end.
        """
        if self.start and (max_epochs is None or max_epochs < 1):
            raise ConfigError(
                f"start is {self.start:g}, a share of trainer.max_epochs, which is not set",
                where="model.weight_average.start",
                remedy="Set trainer.max_epochs, or leave out start.",
            )
        return math.ceil(self.start * (max_epochs or 0))


class RunningAverage(AveragedModel):
    """A copy of a network that holds an average of its weights, and of its norms' statistics.

    Over torch's class: the decay warms up, counters of batches are copied instead of averaged, and
    no step waits for the device, which torch's asks twice how many networks were averaged.

    Args:
        network: That is copied.
        decay: Of an exponential average; ``None`` for the equal mean.
        warm_up: Whether the decay begins small, as in :class:`WeightAverage`.
    """

    def __init__(self, network: nn.Module, *, decay: float | None, warm_up: bool = True) -> None:
        super().__init__(network, use_buffers=True)
        self.requires_grad_(False)
        self.decay, self.warm_up = decay, warm_up
        self._known_count: int | None = 0

    @property
    def count(self) -> int:
        """Networks averaged; the device is asked once after loading."""
        if self._known_count is None:
            self._known_count = int(self.n_averaged)
        return self._known_count

    def share(self) -> float:
        """Return how much of the next network enters; 1 for the first."""
        t = self.count
        if self.decay is None or t == 0:
            return 1 / (t + 1)
        return 1 - (min(self.decay, (1 + t) / (10 + t)) if self.warm_up else self.decay)

    def update_parameters(self, model: nn.Module) -> None:
        """Take in the network as it is now."""
        self._take(model, self.share())
        self._known_count = self.count + 1
        self.n_averaged += 1

    def follow(self, model: nn.Module) -> None:
        """Be the network as it is now, which is not counted: nothing is averaged yet."""
        self._take(model, 1.0)
        self._known_count = 0
        self.n_averaged.zero_()

    @torch.no_grad()
    def _take(self, model: nn.Module, share: float) -> None:
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([own for own, _ in floats], [new for _, new in floats], share)
        for own, new in pairs:
            if not own.is_floating_point():
                own.copy_(new)

    @torch.no_grad()
    def exchange(self, network: nn.Module) -> None:
        """Give the network the average and keep what it had; again to undo. Nothing before a step.

        Args:
            network: Of which this is the average.
        """
        if self.count == 0:
            return
        for own, its in zip(_tensors(self.module), _tensors(network), strict=True):
            kept = its.clone()
            its.copy_(own)
            own.copy_(kept)

    def train(self, mode: bool = True) -> "RunningAverage":
        """Stay in evaluation mode: an average is not trained, and its statistics stay."""
        super().train(False)
        return self

    def _load_from_state_dict(self, *args: object) -> None:
        super()._load_from_state_dict(*args)
        self._known_count = None


def exchanged_names(
    state: Mapping[str, Tensor], *, one: str = "network.", other: str = "average.module."
) -> dict[str, Tensor]:
    """Return a state with network and average under each other's name.

    In a checkpoint ``network.`` are the weights that predict, whoever reads it; what training goes
    on with stands under the name of the average.

    Args:
        state: Name to tensor.
        one: Prefix of the names of the network.
        other: Of the average.
    """
    prefixes = {one: other, other: one}
    return {
        next(
            (new + name.removeprefix(old) for old, new in prefixes.items() if name.startswith(old)),
            name,
        ): tensor
        for name, tensor in state.items()
    }


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in chain(network.parameters(), network.buffers())]

"""Aggregators: from the vectors of a patient's instances to one vector per patient."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mtl_hcc.nn.bag import Bag


class Aggregator(nn.Module, ABC):
    """Combines the instances of a patient.

    Attributes:
        one_per_phase: Whether it takes exactly one instance of each phase, in their order.

    Shapes:
        bag: features (patient, instance, in_features), and which are present, of which phase,
            and where; what is not present must not matter.
        returns: (patient, out_features).
    """

    out_features: int
    one_per_phase: bool = False

    @abstractmethod
    def forward(self, bag: Bag) -> Tensor:
        """Return one vector per patient."""

    def attention(self, bag: Bag) -> Tensor | None:
        """Return (patient, instance) weights that sum to 1 over the present; ``None`` if none."""
        return None


class Concatenate(Aggregator):
    """The phases side by side, in their fixed order: ``[x_arterial, x_portal_venous, x_delayed]``.

    A missing phase is replaced by a learned vector of its own.

    Args:
        in_features: Width of a phase's vector.
        phases: How many phases the images have.
    """

    one_per_phase = True

    def __init__(self, in_features: int, *, phases: int = 3) -> None:
        super().__init__()
        self.out_features = in_features * phases
        self.phases = phases
        self.missing = nn.Parameter(torch.zeros(phases, in_features))

    def reset_parameters(self) -> None:
        """Forget what stands for a missing phase."""
        nn.init.zeros_(self.missing)

    def forward(self, bag: Bag) -> Tensor:
        """Return the concatenated vectors."""
        instances, present = bag.features, bag.present
        if instances.shape[1] != self.missing.shape[0]:
            raise ValueError(
                f"images have {instances.shape[1]} phases but the aggregator was made for "
                f"{self.missing.shape[0]}; set aggregator.init_args.phases of the encoder"
            )
        return torch.where(present[..., None], instances, self.missing).flatten(1)


class Mean(Aggregator):
    """The mean of the present instances: ``sum_i p_i x_i / sum_i p_i``.

    Args:
        in_features: Width of an instance's vector.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    def forward(self, bag: Bag) -> Tensor:
        """Return the mean vectors; zero for a patient without any instance."""
        weight = bag.present[..., None].to(bag.features.dtype)
        return bag.zeroed.sum(1) / weight.sum(1).clamp(min=1)


class Max(Aggregator):
    """The largest value of each feature: ``max_{i: p_i} x_i``.

    Args:
        in_features: Width of an instance's vector.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    def forward(self, bag: Bag) -> Tensor:
        """Return the maxima; zero for a patient without any instance."""
        floor = torch.finfo(bag.features.dtype).min
        largest = bag.features.where(bag.present[..., None], floor).amax(1)
        return largest.where(bag.present.any(1, keepdim=True), 0.0)


class Attention(Aggregator):
    """Attention (Ilse 2018, eq. 8): ``z = sum_i a_i x_i``, ``a = softmax w tanh(V x)``.

    Args:
        in_features: Width of an instance's vector.
        hidden: Width of the attention's hidden layer.
    """

    def __init__(self, in_features: int, *, hidden: int = 32) -> None:
        super().__init__()
        self.out_features = in_features
        self.content = nn.Linear(in_features, hidden)
        self.score = nn.Linear(hidden, 1)

    def attention(self, bag: Bag) -> Tensor:
        """Return (patient, instance) weights that sum to 1 over the present instances."""
        score = self.score(self._hidden(bag.zeroed)).squeeze(-1).float()
        # A finite floor, not -inf: a patient without any instance gets equal weights, not NaN.
        score = score.masked_fill(~bag.present, torch.finfo(score.dtype).min)
        return torch.softmax(score, dim=1).to(bag.features.dtype)

    def forward(self, bag: Bag) -> Tensor:
        """Return the attention-weighted sums."""
        return torch.einsum("pi,pif->pf", self.attention(bag), bag.zeroed)

    def _hidden(self, instances: Tensor) -> Tensor:
        return torch.tanh(self.content(instances))


class GatedAttention(Attention):
    """Gated attention (Ilse 2018, eq. 9): ``a = softmax w (tanh(V x) * s(U x))``.

    Args:
        in_features: Width of an instance's vector.
        hidden: Width of the attention's hidden layer.
    """

    def __init__(self, in_features: int, *, hidden: int = 32) -> None:
        nn.Module.__init__(self)  # the order in which the layers draw their first weights
        self.out_features = in_features
        self.content = nn.Linear(in_features, hidden)
        self.gate = nn.Linear(in_features, hidden)
        self.score = nn.Linear(hidden, 1)

    def _hidden(self, instances: Tensor) -> Tensor:
        return torch.tanh(self.content(instances)) * torch.sigmoid(self.gate(instances))


class Nested(Aggregator):
    """One aggregator within each phase, another over them: ``z = over_p within_{i in p} x_i``.

    Args:
        in_features: Width of an instance's vector.
        within: Joins the instances of a phase, the same weights for each phase.
        over: Joins the phases' vectors; given their width.
    """

    def __init__(
        self,
        in_features: int,
        *,
        within: Callable[[int], Aggregator],
        over: Callable[[int], Aggregator],
    ) -> None:
        super().__init__()
        self.within = within(in_features)
        if self.within.one_per_phase:
            raise ValueError(
                f"aggregator.within is {type(self.within).__name__}, which joins phases; expected "
                "one that takes any number of instances, e.g. GatedAttention"
            )
        self.over = over(self.within.out_features)
        self.out_features = self.over.out_features
        if (phases := getattr(self.over, "phases", None)) is not None:
            self.phases: int = phases

    def forward(self, bag: Bag) -> Tensor:
        """Return one vector per patient."""
        joined: Tensor = self.over(self._of_phases(bag))
        return joined

    def attention(self, bag: Bag) -> Tensor | None:
        """Return the product of both weights; a mean weighs all alike."""
        phases = _weights(self.over, self._of_phases(bag))
        if phases is None:
            return None
        total = torch.zeros_like(bag.place_mm, dtype=bag.features.dtype)
        for number in range(bag.phases):
            weights = _weights(self.within, bag.only(bag.phase == number))
            if weights is None:
                return None
            total = total + weights * phases[:, [number]]
        return total

    def _of_phases(self, bag: Bag) -> Bag:
        """Return a bag of one vector for each phase."""
        parts = [bag.only(bag.phase == number) for number in range(bag.phases)]
        present = torch.stack([part.present.any(1) for part in parts], dim=1)
        phase = torch.arange(bag.phases, device=present.device).expand_as(present)
        features = torch.stack([self.within(part) for part in parts], dim=1)
        return Bag(features, present, phase, torch.zeros_like(phase).float(), bag.phases)


def _weights(aggregator: Aggregator, bag: Bag) -> Tensor | None:
    if isinstance(aggregator, Mean):
        present = bag.present.to(bag.features.dtype)
        return present / present.sum(1, keepdim=True).clamp(min=1)
    return aggregator.attention(bag)

"""Task heads: a layer, its loss, the table columns it needs, what it writes to predictions.csv."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtl_hcc.losses import (
    RiskBank,
    Ties,
    breslow_cumulative_hazard,
    neg_partial_log_likelihood,
    survival_probability,
)


class TaskHead(nn.Module, ABC):
    """One task. The network calls it with the shared embedding.

    Attributes:
        columns: Table columns that hold the task's labels.
        kind: ``survival`` or ``class``: which metrics judge it.

    Shapes:
        embedding: (patient, in_features).
        returns: (patient, outputs), float32.
    """

    columns: tuple[str, ...]
    kind: Literal["survival", "class"]

    @abstractmethod
    def forward(self, embedding: Tensor) -> Tensor:
        """Return the task's raw output."""

    @abstractmethod
    def loss(
        self,
        output: Tensor,
        targets: Mapping[str, Tensor],
        *,
        index: Tensor | None = None,
        bank: RiskBank | None = None,
    ) -> Tensor:
        """Return the scalar loss over labeled patients; without any, 0 connected to the graph.

        Args:
            output: (patient, outputs) of ``forward``.
            targets: Column to (patient,), NaN where missing.
            index: (patient,) keys of the patients in the risk bank.
            bank: Patients of earlier batches; only survival heads look at it.
        """

    @torch.no_grad()
    def loss_at_zero(
        self,
        output: Tensor,
        targets: Mapping[str, Tensor],
        *,
        index: Tensor | None = None,
        bank: RiskBank | None = None,
    ) -> Tensor:
        """Return the loss of the same patients if the output of everybody were 0.

        It says nothing of a patient: the log of the number of classes; the mean log size of the
        risk sets. Arguments as for ``loss``.
        """
        return self.loss(torch.zeros_like(output), targets, index=index, bank=bank)

    @abstractmethod
    def to_table(self, output: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the columns of ``predictions.csv``, each (patient,)."""

    def mean_over(self, outputs: Tensor, present: Tensor) -> Tensor:
        """Return (patient, outputs): the mean over the instances, each judged on its own.

        Args:
            outputs: (patient, instance, outputs) of ``forward``.
            present: (patient, instance) bool, at least one for each patient.
        """
        weight = present[..., None].to(outputs.dtype)
        return outputs.where(present[..., None], 0.0).sum(1) / weight.sum(1)

    def labeled(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Return (patient,) bool: who has every label of this task."""
        return torch.stack([targets[name].isfinite() for name in self.columns]).all(dim=0)

    def informative(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Return (patient,) bool: who the mean in the loss is taken over."""
        return self.labeled(targets)

    def fit_baseline_hazard(self, output: Tensor, targets: Mapping[str, Tensor]) -> None:
        """Take from the training split's predictions what ``to_table`` needs; nothing by default.

        Args:
            output: (patient, outputs) of the training split.
            targets: Column to (patient,) of the same patients.
        """


class CoxHead(TaskHead):
    """Proportional hazards: one log hazard, judged by the Cox partial likelihood.

    Args:
        in_features: Width of the embedding.
        endpoint: ``os`` or ``rfs``; the columns are ``<endpoint>_days`` and ``<endpoint>_event``.
        ties: How tied event times are treated.
        horizons_days: Horizons of the ``survival_<days>`` columns: 1, 2, 3 and 5 years.
    """

    baseline_time: Tensor
    baseline_hazard: Tensor
    kind = "survival"

    def __init__(
        self,
        in_features: int,
        *,
        endpoint: str,
        ties: Ties = "efron",
        horizons_days: tuple[int, ...] = (365, 730, 1095, 1825),
    ) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.columns = (f"{endpoint}_days", f"{endpoint}_event")
        if ties not in ("efron", "breslow"):
            raise ValueError(f"ties is {ties!r}; expected 'efron' or 'breslow'")
        self.ties: Ties = ties
        self.horizons_days = tuple(horizons_days)
        self.layer = nn.Linear(in_features, 1, bias=False)  # the loss ignores a constant
        self.register_buffer("baseline_time", torch.zeros(0))
        self.register_buffer("baseline_hazard", torch.zeros(0))

    def forward(self, embedding: Tensor) -> Tensor:
        """Return (patient, 1) log hazards."""
        with torch.autocast(embedding.device.type, enabled=False):
            log_hazard: Tensor = self.layer(embedding.float())
        return log_hazard

    def loss(
        self,
        output: Tensor,
        targets: Mapping[str, Tensor],
        *,
        index: Tensor | None = None,
        bank: RiskBank | None = None,
    ) -> Tensor:
        """Return the Cox loss, mean over events; with a bank, its patients are at risk too."""
        time, event = (targets[name] for name in self.columns)
        if bank is None or index is None or self.endpoint not in bank.endpoints:
            return neg_partial_log_likelihood(output[:, 0], time, event, ties=self.ties)
        return bank.loss(self.endpoint, index, output[:, 0], time, event, ties=self.ties)

    @torch.no_grad()
    def loss_at_zero(
        self,
        output: Tensor,
        targets: Mapping[str, Tensor],
        *,
        index: Tensor | None = None,
        bank: RiskBank | None = None,
    ) -> Tensor:
        """Return the mean log size of the risk sets, with the patients of the bank in them."""
        if bank is None or index is None or self.endpoint not in bank.endpoints:
            return super().loss_at_zero(output, targets)
        time, event = (targets[name] for name in self.columns)
        zero = torch.zeros_like(output[:, 0])
        return bank.loss(self.endpoint, index, zero, time, event, ties=self.ties, at_zero=True)

    def informative(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Return who has an event: the loss is a mean over events."""
        return self.labeled(targets) & (targets[self.columns[1]] > 0)

    @torch.no_grad()
    def fit_baseline_hazard(self, output: Tensor, targets: Mapping[str, Tensor]) -> None:
        """Take Breslow's baseline hazard from the training split's predictions."""
        known = self.labeled(targets)
        time, event = (targets[name][known] for name in self.columns)
        if not (event > 0).any():  # no hazard to be had: the horizons stay empty
            self.baseline_time, self.baseline_hazard = time.new_zeros(0), time.new_zeros(0)
            return
        times, hazard = breslow_cumulative_hazard(output[known, 0], time, event)
        # The curve stays level after the last event, and is known as long as somebody was followed.
        self.baseline_time = torch.cat([times, time.max().reshape(1).to(times)])
        self.baseline_hazard = torch.cat([hazard, hazard[-1:]])

    def to_table(self, output: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return risk, known outcome and, with a baseline, survival at the horizons."""
        time, event = (targets[name] for name in self.columns)
        table = {"risk": output[:, 0], "time_days": time, "event": event}
        for days in self.horizons_days:
            unknown = torch.full_like(output[:, 0], torch.nan)
            table[f"survival_{days}"] = (
                survival_probability(
                    output[:, 0], float(days), self.baseline_time, self.baseline_hazard
                )
                if len(self.baseline_time) and days < float(self.baseline_time[-1])
                else unknown
            )
        return table

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Let the baseline have as many steps as the training split had event times."""
        for name in ("baseline_time", "baseline_hazard"):
            if (stored := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(stored, device=self.layer.weight.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


class ClassHead(TaskHead):
    """Classification: one logit per class, judged by cross-entropy.

    Args:
        in_features: Width of the embedding.
        column: Table column with the class number, e.g. ``mvi``.
        classes: Number of classes.
        class_weights: Weight of each class in the loss; ``None`` for equal weights.
    """

    kind = "class"
    class_weights: Tensor | None

    def __init__(
        self,
        in_features: int,
        *,
        column: str,
        classes: int = 2,
        class_weights: list[float] | None = None,
    ) -> None:
        super().__init__()
        if class_weights is not None and len(class_weights) != classes:
            raise ValueError(f"{len(class_weights)} class_weights given for {classes} classes")
        self.columns = (column,)
        self.layer = nn.Linear(in_features, classes)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return (patient, class) logits."""
        with torch.autocast(embedding.device.type, enabled=False):
            logits: Tensor = self.layer(embedding.float())
        return logits

    def mean_over(self, outputs: Tensor, present: Tensor) -> Tensor:
        """Return the log of the mean probability of each class, which are logits of the mean."""
        log_probability = outputs.log_softmax(dim=2)
        floor = torch.finfo(outputs.dtype).min
        total = log_probability.where(present[..., None], floor).logsumexp(dim=1)
        return total - present.sum(1, keepdim=True).log()

    def loss(
        self,
        output: Tensor,
        targets: Mapping[str, Tensor],
        *,
        index: Tensor | None = None,
        bank: RiskBank | None = None,
    ) -> Tensor:
        """Return the cross-entropy, mean over labeled patients (weighted by class)."""
        known = self.labeled(targets)
        label = torch.where(known, targets[self.columns[0]], 0).long()
        weight = known.to(output.dtype)
        if self.class_weights is not None:
            weight = weight * self.class_weights[label]
        losses = functional.cross_entropy(output, label, reduction="none")
        return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)

    def to_table(self, output: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the known label and the probability of the positive, or of each, class."""
        probability = output.softmax(dim=1)
        table = {"label": targets[self.columns[0]]}
        if output.shape[1] == 2:
            return table | {"probability": probability[:, 1]}
        return table | {f"probability_{k}": probability[:, k] for k in range(output.shape[1])}

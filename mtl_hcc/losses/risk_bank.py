"""RiskBank: remembers the scores of recent batches, so that small batches get large risk sets."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtl_hcc.losses.cox import Ties, neg_partial_log_likelihood


class RiskBank(nn.Module):
    """Scores of the patients of recent training steps, one entry per patient.

    A batch of eight patients makes poor risk sets. The bank adds the patients of the last steps
    with the scores they had then (no gradient). Over TorchSurv's ``Momentum``: any number of
    endpoints with missing labels, any batch size, one entry per patient (a patient is never in a
    risk set twice), validation patients cannot enter, and the bank is part of the checkpoint.

    The value is the mean over the events of the *current* batch against bank + batch. The gradient
    is that of the mean over *all* events, remembered ones included, times N / n (labeled patients
    of bank + batch / of the batch). A remembered event tells the patients of the batch who were at
    risk to go down, as an event of the batch tells itself to go up; with the batch's own events
    alone, pushing up outweighs pushing down by N / n, and the log hazards grow without bound. When
    the bank holds everybody at the current weights, the terms are those of the full-cohort loss,
    and the batches' gradients times n / N sum to its gradient.

    Under data-parallel training every rank hands in the same gathered global batch, to ``loss``
    with gradient and to ``write`` without; hence all ranks hold the same bank, and no further
    communication is needed. Rows that pad a gathered batch have index -1 and NaN labels.

    Scores come from whoever calls ``write``: the network itself, or a slow target network.

    Args:
        endpoints: Survival tasks, e.g. ``["os", "rfs"]``.
        capacity: Number of patients remembered; the oldest entries make room.
        max_age_steps: Entries written more than so many writes ago are not used; ``None`` = any.

    Example:
        >>> bank = RiskBank(endpoints=["os"], capacity=64)
        >>> h, day, event = torch.tensor([0.1, 0.4]), torch.tensor([5.0, 9.0]), torch.ones(2)
        >>> loss = bank.loss("os", torch.tensor([3, 7]), h, day, event)
        >>> bank.write(torch.tensor([3, 7]), {"os": h}, {"os": day}, {"os": event})
        >>> len(bank)
        2
    """

    index: Tensor
    written_at: Tensor
    scores: Tensor
    times: Tensor
    events: Tensor
    step: Tensor

    def __init__(
        self, *, endpoints: list[str], capacity: int, max_age_steps: int | None = None
    ) -> None:
        super().__init__()
        if capacity < 1 or (max_age_steps is not None and max_age_steps < 1):
            raise ValueError(
                f"capacity is {capacity} and max_age_steps is {max_age_steps}; expected 1 or more."
            )
        self.endpoints = list(endpoints)
        self.capacity = capacity
        self.max_age_steps = max_age_steps
        empty = torch.full((capacity, len(self.endpoints)), torch.nan)
        self.register_buffer("index", torch.full((capacity,), -1))  # -1 = free slot
        self.register_buffer("written_at", torch.full((capacity,), -1))
        self.register_buffer("scores", empty.clone())
        self.register_buffer("times", empty.clone())
        self.register_buffer("events", empty.clone())
        self.register_buffer("step", torch.tensor(0))

    def check_predicted(self, predicted: Sequence[str]) -> None:
        """Raise unless exactly one Cox head predicts each endpoint.

        Args:
            predicted: The endpoint of each Cox head.
        """
        for endpoint in self.endpoints:
            if predicted.count(endpoint) != 1:
                raise ValueError(
                    f"the risk bank remembers '{endpoint}', which {predicted.count(endpoint)} Cox "
                    f"heads predict (their endpoints: {', '.join(sorted(predicted)) or 'none'}); "
                    "it needs exactly one: correct model.risk_bank.endpoints or model.heads"
                )

    def __len__(self) -> int:
        """Return the number of patients remembered, too old ones included."""
        return int((self.index >= 0).sum())

    @torch.no_grad()
    def write(
        self,
        index: Tensor,
        scores: dict[str, Tensor],
        times: dict[str, Tensor],
        events: dict[str, Tensor],
    ) -> None:
        """Remember a batch after its optimizer step; does nothing in evaluation mode.

        A patient's earlier entry is replaced; else free slots are taken, then the oldest ones.

        Args:
            index: (patient,) int64, ``PatientBatch.index``; negative = padding, not written.
            scores: For each endpoint the (patient,) log hazards.
            times: For each endpoint the (patient,) days used in this step's loss (jittered or
                not); NaN = no label.
            events: For each endpoint (patient,) 0 or 1; NaN = no label.
        """
        if not self.training:
            return
        table = torch.stack(
            [self._columns(part, index) for part in (scores, times, events)]
        )  # (3, patient, endpoint)
        if len(index):
            self._take(index, table)
        self.step += 1

    def _take(self, index: Tensor, table: Tensor) -> None:
        """Put a batch into the slots; shapes never depend on the data, so no step waits for it.

        Args:
            index: (patient,) As for :meth:`write`.
            table: (3, patient, endpoint) Scores, times and events.
        """
        # The last row of each patient, and not more rows than there are slots.
        again = (index[:, None] == index).triu(1).any(1)
        kept = (index >= 0) & ~again
        kept &= kept.flip(0).cumsum(0).flip(0) <= self.capacity
        rows = (~kept).to(torch.uint8).argsort(stable=True)  # those that are kept come first

        known = _is_among(self.index, index, kept)
        self.index.masked_fill_(known, -1)
        self.written_at.masked_fill_(known, -1)
        # Free slots are the oldest; the first of them takes the first row.
        place = self.written_at.argsort(stable=True).argsort()
        taken = place < kept.sum()
        rows = rows[place.clamp(max=len(index) - 1)]
        self.index.copy_(torch.where(taken, index[rows], self.index))
        self.written_at.copy_(torch.where(taken, self.step, self.written_at))
        for held, given in zip((self.scores, self.times, self.events), table, strict=True):
            held.copy_(torch.where(taken[:, None], given[rows], held))

    def loss(
        self,
        endpoint: str,
        index: Tensor,
        log_hazard: Tensor,
        time: Tensor,
        event: Tensor,
        *,
        ties: Ties = "efron",
        at_zero: bool = False,
    ) -> Tensor:
        """Cox loss of the current batch, its risk sets completed from the bank.

        In evaluation mode the bank is left out: validation patients are compared with each other,
        never with training patients.

        Args:
            endpoint: One of ``endpoints``.
            index: (patient,) int64, ``PatientBatch.index``; their remembered entries are left out.
            log_hazard: (patient,) with gradient.
            time: (patient,) days; NaN = no label.
            event: (patient,) 0 or 1; NaN = no label.
            ties: As in :func:`neg_partial_log_likelihood`.
            at_zero: Whether all remembered patients have log hazard 0, as for the loss without any
                information.

        Returns:
            Scalar, mean over the events of the current batch.
        """
        if endpoint not in self.endpoints:
            raise ValueError(f"No endpoint {endpoint!r} in the risk bank; it has {self.endpoints}.")
        if not self.training:
            return neg_partial_log_likelihood(log_hazard, time, event, ties=ties)
        column = self.endpoints.index(endpoint)
        usable = self.index >= 0
        usable &= ~_is_among(self.index, index)
        usable &= self.scores[:, column].isfinite()
        if self.max_age_steps is not None:
            usable &= self.step - self.written_at <= self.max_age_steps
        # Unusable entries stay in the tensors without a label: shapes never depend on the data.
        remembered = torch.where(usable, self.times[:, column], torch.nan)
        scores = self.scores[:, column].nan_to_num() * (not at_zero)
        batch = len(log_hazard)
        log_hazard, time, event = (values.reshape(-1) for values in (log_hazard, time, event))
        everybody = (
            torch.cat([log_hazard, scores]),
            torch.cat([time.to(remembered), remembered]),
            torch.cat([event.to(remembered), self.events[:, column]]),
        )
        labeled = everybody[1].isfinite() & everybody[2].isfinite()
        counted = torch.arange(len(labeled), device=time.device) < batch
        share = labeled.sum() / (labeled & counted).sum().clamp(min=1)
        value = neg_partial_log_likelihood(*everybody, ties=ties, counted=counted).detach()
        of_all = neg_partial_log_likelihood(*everybody, ties=ties)
        return value + share * (of_all - of_all.detach())

    def _columns(self, values: dict[str, Tensor], index: Tensor) -> Tensor:
        """Stack one column per endpoint, (patient, endpoint)."""
        if set(values) != set(self.endpoints):
            raise ValueError(
                f"The risk bank was given the endpoints {sorted(values)}; "
                f"expected {sorted(self.endpoints)}."
            )
        for name, column in values.items():
            if column.numel() != len(index):
                raise ValueError(
                    f"'{name}' has {column.numel()} patients but 'index' has {len(index)}."
                )
        return torch.stack([values[name].reshape(-1).to(self.scores) for name in self.endpoints], 1)


def _is_among(index: Tensor, others: Tensor, which: Tensor | None = None) -> Tensor:
    """Return for each index whether it is one of these others; ``isin`` may wait for the device."""
    same = index[:, None] == others
    return (same if which is None else same & which).any(1)

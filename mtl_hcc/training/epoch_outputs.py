"""EpochOutputs: what the network said of every patient in an epoch, and the numbers to follow."""

import math
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, multiclass_f1_score
from torchsurv.metrics.cindex import ConcordanceIndex

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.concordance import concordance_harrell
from mtl_hcc.nn import TaskHead

CONFIRMED_UP_TO = 1000
"""Patients up to which TorchSurv confirms a C-index; it holds every pair of them."""
_AGREEING = 1e-4


class EpochOutputs:
    """Collects global batches; each patient counts once, however often it was seen.

    These numbers steer and monitor the training. What is published comes from
    ``mtl_hcc.evaluate``, with intervals.

    Args:
        heads: Task name to head.
    """

    def __init__(self, heads: Mapping[str, TaskHead]) -> None:
        self.heads = heads
        self._confirmed: set[str] = set()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._index: list[Tensor] = []
        self._outputs: dict[str, list[Tensor]] = {name: [] for name in self.heads}
        self._targets: dict[str, list[Tensor]] = {}
        # Tensors, so that a training step does not wait for the device.
        self._loss_sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(
        self,
        index: Tensor,
        outputs: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
        losses: Mapping[str, Tensor],
    ) -> None:
        """Take in one global batch, and its unweighted losses if they are to be averaged."""
        self._index.append(index.detach())
        for name, output in outputs.items():
            self._outputs[name].append(output.detach().float())
        for name, target in targets.items():
            self._targets.setdefault(name, []).append(target.detach())
        for name, loss in losses.items():
            count = self.heads[name].informative(targets).sum()
            share = torch.where(count > 0, loss.detach() * count, 0.0)
            self._loss_sums[name] = self._loss_sums.get(name, 0) + share
            self._counts[name] = self._counts.get(name, 0) + count

    def mean_losses(self) -> dict[str, float]:
        """Return the epoch mean of each unweighted loss over informative patients, else NaN."""
        return {
            name: float(self._loss_sums[name] / self._counts[name])
            if self._counts.get(name, 0)
            else float("nan")
            for name in self.heads
        }

    def patients(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return outputs (mean over rounds) and targets, one row per patient."""
        index = torch.cat(self._index)
        unique, position = index.unique(return_inverse=True)
        rounds = torch.zeros(len(unique), device=index.device).index_add_(
            0, position, torch.ones(len(index), device=index.device)
        )
        outputs = {}
        for name, parts in self._outputs.items():
            rows = torch.cat(parts)
            total = rows.new_zeros(len(unique), rows.shape[1]).index_add_(0, position, rows)
            outputs[name] = total / rounds[:, None]
        first = torch.empty_like(unique).scatter_(
            0, position.flip(0), torch.arange(len(index), device=index.device).flip(0)
        )
        return outputs, {name: torch.cat(parts)[first] for name, parts in self._targets.items()}

    def exact_losses(self) -> dict[str, float]:
        """Return each head's loss over all patients at once (the risk sets span everybody)."""
        outputs, targets = self.patients()
        return {
            name: float(head.loss(outputs[name], targets))
            if head.informative(targets).any()
            else float("nan")
            for name, head in self.heads.items()
        }

    def total(self, losses: Mapping[str, float]) -> float:
        """Return the sum over the tasks that somebody informs; NaN where nobody informs any.

        A loss that should be a number and is not makes it NaN, too: left out, it would count as 0,
        the best loss there is.

        Args:
            losses: Task name to loss, NaN where nobody informs the task.
        """
        _, targets = self.patients()
        defined = [
            losses[name] for name, head in self.heads.items() if head.informative(targets).any()
        ]
        return sum(defined) if defined else float("nan")

    def not_finite(self) -> dict[str, list[int]]:
        """Return task name to index of the patients whose output is not finite; only such tasks."""
        index = torch.cat(self._index)
        found = {
            name: index[~torch.cat(parts).isfinite().all(dim=1)].tolist()
            for name, parts in self._outputs.items()
        }
        return {name: sorted(set(patients)) for name, patients in found.items() if patients}

    def monitor(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Return the numbers to log: losses and their sum, C-index, or AUC and F1."""
        outputs, targets = self.patients()
        values = {"loss": self.total(losses)}
        for name, head in self.heads.items():
            values[f"loss_{name}"] = losses[name]
            labeled = head.labeled(targets)
            labels = [targets[column][labeled] for column in head.columns]
            if head.kind == "survival":
                values[f"c_index_{name}"] = self._c_index(name, outputs[name][labeled, 0], *labels)
            else:
                values |= {
                    f"{metric}_{name}": value
                    for metric, value in class_metrics(outputs[name][labeled], labels[0]).items()
                }
        return values

    def _c_index(self, name: str, log_hazard: Tensor, time: Tensor, event: Tensor) -> float:
        """Return the C-index of a task; its first one in a training is confirmed by TorchSurv."""
        value = c_index(log_hazard, time, event)
        if math.isnan(value) or name in self._confirmed or len(time) > CONFIRMED_UP_TO:
            return value
        self._confirmed.add(name)
        theirs = float(ConcordanceIndex(tied_tol=0)(log_hazard, event > 0, time))
        if not abs(theirs - value) < _AGREEING:
            warnings.warn(
                f"The C-index of {name} is {value:.4f} by mtl_hcc and {theirs:.4f} by TorchSurv, "
                "on the same patients; they should be equal. Please report it with this run.",
                stacklevel=2,
            )
        return value


def c_index(log_hazard: Tensor, time: Tensor, event: Tensor) -> float:
    """Return Harrell's C as ``metrics.csv`` has it; NaN without a comparable pair.

    Only equal log hazards tie, and an event comes before a censoring of its day. Of a log hazard
    that is no number nobody knows the rank: NaN, too.
    """
    risk = log_hazard.detach().double().cpu().numpy()
    if np.isnan(risk).any():
        return math.nan
    try:
        return concordance_harrell(risk, time.cpu().numpy(), (event > 0).cpu().numpy())
    except NotComputableError:  # a monitor must not stop a run
        return math.nan


def class_metrics(logits: Tensor, label: Tensor) -> dict[str, float]:
    """Return F1 (positive class, or macro) and for two classes AUC; NaN without both classes."""
    if len(label.unique()) < 2:
        return {"f1": float("nan"), "auc": float("nan")}
    label = label.long()
    classes = logits.shape[1]
    predicted = logits.argmax(dim=1)
    if classes > 2:
        return {"f1": float(multiclass_f1_score(predicted, label, classes, average="macro"))}
    f1 = multiclass_f1_score(predicted, label, num_classes=2, average="none")[1]
    return {"f1": float(f1), "auc": float(binary_auroc(logits.softmax(dim=1)[:, 1], label))}

"""How much each task counts: equal, fixed, dynamic (DWA) or learnt weights, and in which unit."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def in_units_of_zero(
    losses: Mapping[str, Tensor], at_zero: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    r"""Return each loss as a share of what it is when the score of everybody is 0.

    A Cox loss is about the mean log size of the risk sets (3.6 for 40 patients at risk, equal log
    hazards), a cross-entropy about the log of the number of classes (0.69 for two), and so are
    their gradients: added up as they are, survival tasks count several times a classification. The
    loss of task k becomes

    .. math::
        \frac{L_k}{\max(L_k^0, \log 2)}, \qquad
        L^0_\text{class} = \log K, \qquad
        L^0_\text{Cox} = \frac{1}{d} \sum_{i: \text{event}} \log |R_i|
        \quad\text{(tied events: mean of } \log(|R_i| - l),\ l = 0 .. d_i - 1\text{)},

    with the risk sets :math:`R_i` of the same batch and bank; log 2 is a comparison of two, and
    keeps a batch with hardly anybody at risk from counting much.

    Args:
        losses: Task to scalar loss.
        at_zero: Task to the same loss with all scores 0, without gradient.
    """
    return {task: loss / at_zero[task].clamp(min=math.log(2)) for task, loss in losses.items()}


class TaskWeighting(nn.Module, ABC):
    """Weights of the tasks, set once per epoch. A weighting never calls ``backward``.

    ``start(tasks)`` is called once, before training or loading a checkpoint; then each step asks
    for ``combine(losses)`` and each epoch ends with ``end_epoch(mean_losses)``. What must survive a
    restart are buffers or parameters, so ``state_dict`` of the module around holds it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[str] = []

    def start(self, tasks: list[str]) -> None:
        """Fix the names and the order of the tasks; the same names again change nothing.

        Args:
            tasks: Names, e.g. ``["os", "rfs", "mvi"]``.
        """
        if self.tasks and self.tasks != list(tasks):
            raise ValueError(f"The weighting was started for {self.tasks}, now for {list(tasks)}.")
        if not self.tasks:
            self.tasks = list(tasks)
            self.prepare()

    def prepare(self) -> None:
        """Make what depends on the tasks (``self.tasks`` is set); nothing by default."""

    @abstractmethod
    def weights(self) -> dict[str, float]:
        """Return the weight of each task for the coming epoch."""

    def end_epoch(self, mean_losses: dict[str, float]) -> None:
        """Take note of an epoch; nothing by default.

        Args:
            mean_losses: Mean *unweighted training* loss of each task over the labeled patients of
                the epoch, reduced over all ranks. NaN or absent: no label in this epoch.
        """
        self.check(mean_losses)

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the training loss, the sum of weight x loss.

        Args:
            losses: Scalar loss of each task; a task without labels in the batch gives a 0 that is
                connected to the graph.
        """
        self.check(losses)
        weights = self.weights()
        return torch.stack([weights[task] * loss for task, loss in losses.items()]).sum()

    def check(self, named: dict[str, float] | dict[str, Tensor]) -> None:
        """Raise ``ValueError`` when a name is not a task."""
        unknown = sorted(set(named) - set(self.tasks))
        if unknown:
            raise ValueError(f"No task named {', '.join(unknown)}; the tasks are {self.tasks}.")


class EqualWeights(TaskWeighting):
    """Every task counts 1."""

    def weights(self) -> dict[str, float]:
        """Return 1 for each task."""
        return dict.fromkeys(self.tasks, 1.0)


class FixedWeights(TaskWeighting):
    """Weights from the config.

    Args:
        weights: One weight per task, 0 or more, e.g. ``{"os": 1.0, "rfs": 1.0, "mvi": 0.5}``.
    """

    def __init__(self, *, weights: dict[str, float]) -> None:
        super().__init__()
        bad = {task: value for task, value in weights.items() if not 0 <= value < math.inf}
        if bad:
            raise ValueError(f"Fixed weights must be 0 or more and finite; found {bad}.")
        self.fixed = dict(weights)

    def prepare(self) -> None:
        """Check that the config names these tasks, no more and no less."""
        self.check(self.fixed)
        missing = [task for task in self.tasks if task not in self.fixed]
        if missing:
            raise ValueError(f"No fixed weight for {', '.join(missing)}; every task needs one.")

    def weights(self) -> dict[str, float]:
        """Return the weights of the config."""
        return {task: float(self.fixed[task]) for task in self.tasks}


class DynamicWeightAverage(TaskWeighting):
    r"""Dynamic weight average: a task whose loss falls slowly gets more weight.

    .. math::
        \lambda_k(t) = K \operatorname{softmax}_k\left(\frac{r_k}{T}\right), \qquad
        r_k = \frac{L_k(t-1)}{L_k(t-2)},

    and 1 in the first two epochs. It balances rates, not scales: typical ratios of 0.95 to 1.05
    give 0.975 to 1.025, so compare with :class:`EqualWeights`. A task without labels in an epoch
    keeps its ratio, and the next one is taken to the last epoch that had labels.

    Args:
        temperature: T; the larger, the more equal the weights.
        ratio_limit: Ratios are clipped to [1 / limit, limit]: unclipped, one epoch with a loss near
            0 would take all weight from the other tasks (a ratio of 20 gives 2.9996 of 3).

    References:
        Liu, Johns and Davison 2019, arXiv 1803.10704, equation 7.

    Example:
        >>> dwa = DynamicWeightAverage()
        >>> dwa.start(["os", "rfs", "mvi"])
        >>> dwa.end_epoch({"os": 2.0, "rfs": 2.0, "mvi": 2.0})
        >>> dwa.end_epoch({"os": 1.0, "rfs": 2.0, "mvi": 3.0})
        >>> {task: round(weight, 2) for task, weight in dwa.weights().items()}
        {'os': 0.76, 'rfs': 0.98, 'mvi': 1.26}
    """

    last_loss: Tensor
    ratio: Tensor
    epochs: Tensor

    def __init__(self, *, temperature: float = 2.0, ratio_limit: float = 2.0) -> None:
        super().__init__()
        if not temperature > 0 or not ratio_limit >= 1:
            raise ValueError(
                f"temperature is {temperature} (expected above 0) and "
                f"ratio_limit is {ratio_limit} (expected 1 or more)."
            )
        self.temperature = temperature
        self.ratio_limit = ratio_limit

    def prepare(self) -> None:
        """Make the buffers: NaN = no labeled epoch yet."""
        self.register_buffer("last_loss", torch.full((len(self.tasks),), torch.nan))
        self.register_buffer("ratio", torch.ones(len(self.tasks)))
        self.register_buffer("epochs", torch.tensor(0))

    def weights(self) -> dict[str, float]:
        """Return the softmax of the last ratios, 1 in the first two epochs."""
        if not self.tasks or self.epochs < 2:
            return dict.fromkeys(self.tasks, 1.0)
        share = torch.softmax(self.ratio.double().cpu() / self.temperature, dim=0)
        return dict(zip(self.tasks, (len(self.tasks) * share).tolist(), strict=True))

    def end_epoch(self, mean_losses: dict[str, float]) -> None:
        """Update the ratios of the tasks that had labels."""
        super().end_epoch(mean_losses)
        epsilon = 1e-8  # 0 / 0 is a ratio of 1: a task that is learnt and stays learnt
        for k, task in enumerate(self.tasks):
            loss, last = float(mean_losses.get(task, math.nan)), float(self.last_loss[k])
            if not math.isfinite(loss):
                continue
            if math.isfinite(last):
                ratio = (loss + epsilon) / (last + epsilon)
                self.ratio[k] = min(max(ratio, 1 / self.ratio_limit), self.ratio_limit)
            self.last_loss[k] = loss
        self.epochs += 1


class UncertaintyWeights(TaskWeighting):
    r"""Weights learnt with the network: the loss is :math:`\sum_k e^{-s_k} L_k + s_k`.

    :math:`s_k` is the log variance of task k, a parameter that the optimizer of the module around
    sees. A loss of exactly 0 (no label in the batch) leaves its :math:`s_k` alone.

    Args:
        initial_log_variance: :math:`s_k` at the start; 0 gives equal weights of 1.

    References:
        Kendall, Gal and Cipolla 2018, arXiv 1705.07115.
    """

    def __init__(self, *, initial_log_variance: float = 0.0) -> None:
        super().__init__()
        self.initial_log_variance = initial_log_variance

    def prepare(self) -> None:
        """Make the parameter, (task,)."""
        initial = torch.full((len(self.tasks),), float(self.initial_log_variance))
        self.log_variance = nn.Parameter(initial)

    def weights(self) -> dict[str, float]:
        """Return the current exp(-s), for the log."""
        weights = self.log_variance.detach().neg().exp().tolist()
        return dict(zip(self.tasks, weights, strict=True))

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the sum of exp(-s) x loss + s."""
        self.check(losses)
        terms = []
        for task, loss in losses.items():
            s = self.log_variance[self.tasks.index(task)]
            terms.append(torch.exp(-s) * loss + s * (loss.detach() != 0))
        return torch.stack(terms).sum()

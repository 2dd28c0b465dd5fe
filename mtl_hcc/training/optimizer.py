"""The optimizer: which weights are decayed, and whose settings hold when a run is resumed."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer


def adamw(parameters: Iterable[nn.Parameter], *, rate: float, decay: float) -> AdamW:
    """Return AdamW that decays matrices and kernels, not vectors (norms, biases, log variances).

    Args:
        parameters: Weights; those without gradient are left out.
        rate: Peak learning rate.
        decay: Decoupled L2 penalty.
    """
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=rate)


def resume_settings(optimizer: Optimizer, scheduler: Any, *, rate: float, decay: float) -> None:
    """Put learning rate and decay of the config in place of those of a checkpoint.

    Loading an optimizer's and a scheduler's state brings the old settings back with the moments:
    file and flags would silently lose. Without changed settings this changes nothing.

    Args:
        optimizer: From :func:`adamw`.
        scheduler: ``LambdaLR`` of the optimizer, with the steps that were done.
        rate: Peak learning rate of the config.
        decay: Decoupled L2 penalty of the config.
    """
    scheduler.base_lrs = [rate] * len(optimizer.param_groups)
    for group, factor, penalty in zip(
        optimizer.param_groups, scheduler.lr_lambdas, (decay, 0.0), strict=True
    ):
        now = rate * factor(scheduler.last_epoch)
        group.update({"initial_lr": rate, "lr": now, "weight_decay": penalty})

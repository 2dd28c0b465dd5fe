"""By which number epochs are compared: validation losses after a scale is fitted, in one unit."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from mtl_hcc.losses import in_units_of_zero
from mtl_hcc.nn import TaskHead
from mtl_hcc.training.epoch_outputs import EpochOutputs

LARGEST = 100.0
"""Bound of what is fitted, in units of the largest distance of an output from its mean."""


def validation_criterion(epoch: EpochOutputs, *, fitted: bool, normalized: bool) -> float:
    """Return the sum of the tasks' losses on all validation patients; NaN if nobody informs any.

    Args:
        epoch: Outputs of the whole validation split.
        fitted: Whether each loss is that of :func:`fitted_loss`.
        normalized: Whether each is a share of its value at score 0 (:func:`in_units_of_zero`).
    """
    outputs, targets = epoch.patients()
    losses = epoch.exact_losses()
    informed = {name: head for name, head in epoch.heads.items() if np.isfinite(losses[name])}
    if fitted:
        losses |= {name: fitted_loss(h, outputs[name], targets) for name, h in informed.items()}
    if normalized:
        plain = {name: torch.tensor(losses[name]) for name in informed}
        zero = {name: h.loss_at_zero(outputs[name], targets).cpu() for name, h in informed.items()}
        losses |= {name: float(loss) for name, loss in in_units_of_zero(plain, zero).items()}
    return epoch.total(losses)


def fitted_loss(head: TaskHead, output: Tensor, targets: Mapping[str, Tensor]) -> float:
    r"""Return a head's loss of the validation split after its scale is fitted there.

    Overconfidence can be mended after training and says nothing of what an epoch can tell apart.
    With outputs :math:`o` (log hazard, or a logit for each class) the value is

    .. math::
        \min_{\beta \ge 0} L_\text{Cox}(\beta o), \qquad
        \min_{\beta \ge 0,\ b} L_\text{class}(\beta o + b),

    the second with an intercept for each class but the first. A negative :math:`\beta` would
    reward an epoch that is wrong throughout; at 0 the loss is that of no information. The same few
    numbers are fitted in every epoch, so that comparing epochs favors none of them.

    Args:
        head: Of the task; somebody informs its loss.
        output: (patient, outputs) of the whole validation split.
        targets: Column to (patient,), NaN where missing.
    """
    known = head.labeled(targets)
    # Copies, for validation leaves tensors that autograd may not keep.
    labels = {name: values[known].clone() for name, values in targets.items()}
    centered = output[known].double()
    centered = centered - centered.mean(0)  # an intercept, which the Cox loss ignores
    centered = centered / centered.abs().amax().clamp(min=torch.finfo(torch.float32).tiny)
    intercepts = output.shape[1] - 1 if head.kind == "class" else 0

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        fit = torch.tensor(values, device=output.device, requires_grad=True)
        shift = torch.cat([fit.new_zeros(1), fit[1:]])
        value = head.loss(fit[0] * centered + shift, labels)
        (gradient,) = torch.autograd.grad(value, fit)
        return float(value.detach()), gradient.cpu().numpy()

    bounds = [(0.0, LARGEST), *[(-LARGEST, LARGEST)] * intercepts]
    with torch.enable_grad():
        found = minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.fun)

"""From log hazards to survival probabilities: Breslow's baseline hazard of the training split."""

import torch
from torch import Tensor


@torch.no_grad()
def breslow_cumulative_hazard(
    log_hazard: Tensor, time: Tensor, event: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Breslow's cumulative baseline hazard :math:`H_0(t) = \sum_{t_i \le t} d_i / \sum_{R_i} e^h`.

    It is the cumulative hazard of a patient whose log hazard is **0**: nothing is centred, unlike
    in lifelines, whose baseline belongs to a patient with average covariates. The sums are taken in
    log space and float64, so only the result has to be representable (log hazards of the training
    patients around 0 to within some 700).

    Args:
        log_hazard: (patient,) of the *training* patients.
        time: (patient,) days; NaN = no label.
        event: (patient,) 1 = event, 0 = censored; NaN = no label.

    Returns:
        ``times``, (event time,) ascending distinct event times, in days, and
        ``cumulative_hazard``, (event time,), at these times. Both float64; empty without an event.

    References:
        Breslow 1972, discussion of Cox; the same as ``basehaz(centered = FALSE)`` of a Breslow fit
        in R's ``survival``.
    """
    hazard, time, event = (values.reshape(-1).double() for values in (log_hazard, time, event))
    if not len(hazard) == len(time) == len(event):
        raise ValueError(
            f"'log_hazard' has {len(hazard)} patients, 'time' {len(time)}, 'event' {len(event)}."
        )
    labeled = ~(time.isnan() | event.isnan())
    hazard, time, happened = hazard[labeled], time[labeled], event[labeled] > 0
    times, deaths = torch.unique(time[happened], return_counts=True)
    order = time.argsort(descending=True)
    at_risk = hazard[order].logcumsumexp(0)
    # Number of patients with T_j >= t, hence the last row of the risk set in descending order.
    size = len(time) - torch.searchsorted(time.sort().values, times)
    return times, (deaths.double().log() - at_risk[size - 1]).exp().cumsum(0)


def survival_probability(
    log_hazard: Tensor, horizon_days: float, times: Tensor, cumulative_hazard: Tensor
) -> Tensor:
    r"""Probability of being free of the event at a horizon, :math:`S(t|x) = e^{-H_0(t) e^{h}}`.

    A step function: 1 before the first event time, constant after the last one.

    Args:
        log_hazard: (patient,) or any shape.
        horizon_days: Days.
        times: (event time,) as :func:`breslow_cumulative_hazard` gives them.
        cumulative_hazard: (event time,) likewise.

    Returns:
        Probabilities, float64, the shape of ``log_hazard``.
    """
    log_hazard = log_hazard.double()
    passed = int((times <= horizon_days).sum())
    if passed == 0:
        return torch.ones_like(log_hazard)
    # In log space: exp(h) may overflow where the product with H_0 is small.
    return torch.exp(-torch.exp(log_hazard + cumulative_hazard[passed - 1].double().log()))

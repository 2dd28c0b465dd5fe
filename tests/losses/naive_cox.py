"""The Cox loss as the textbook writes it: loops over patients, no tricks. Float64, small cases."""

import torch
from torch import Tensor


def naive_loss(
    log_hazard: Tensor,
    time: Tensor,
    event: Tensor,
    *,
    ties: str = "efron",
    strata: Tensor | None = None,
    counted: Tensor | None = None,
) -> Tensor:
    n = len(time)
    labeled = [not (time[i].isnan() or event[i].isnan()) for i in range(n)]
    stratum = [0 if strata is None else int(strata[i]) for i in range(n)]
    terms = []
    for i in range(n):
        if not labeled[i] or event[i] == 0 or not (counted is None or counted[i]):
            continue
        peers = [j for j in range(n) if labeled[j] and stratum[j] == stratum[i]]
        at_risk = sum(log_hazard[j].exp() for j in peers if time[j] >= time[i])
        tied = [j for j in peers if event[j] == 1 and time[j] == time[i]]
        tied_sum = sum(log_hazard[j].exp() for j in tied)
        d = len(tied)
        skipped = [step / d if ties == "efron" else 0.0 for step in range(d)]
        denominators = [(at_risk - share * tied_sum).log() for share in skipped]
        terms.append(sum(denominators) / d - log_hazard[i])
    return torch.stack(terms).mean() if terms else log_hazard.sum() * 0

"""The Cox loss as version 0.1 computed it: scans by doubling, the gradient by autograd."""

import torch
from torch import Tensor


def doubling_loss(
    log_hazard: Tensor,
    time: Tensor,
    event: Tensor,
    *,
    ties: str = "efron",
    strata: Tensor | None = None,
    counted: Tensor | None = None,
) -> Tensor:
    hazard = log_hazard
    strata = torch.zeros_like(time) if strata is None else strata
    labeled = ~(time.isnan() | event.isnan())
    happened = labeled & (event > 0)
    counted = happened if counted is None else happened & counted
    # Last in time, the unlabeled are in nobody's risk set; 0 keeps them in the graph.
    time = torch.where(labeled, time, -torch.inf)
    hazard = torch.where(labeled, hazard, 0.0)
    order = _risk_order(time, happened, strata)
    return _mean_over_events(
        (hazard - hazard.detach().amax())[order],
        _starts(strata[order]),
        _starts(strata[order], time[order], happened[order]),
        counted[order],
        efron=ties == "efron",
    )


def _mean_over_events(
    hazard: Tensor, stratum_starts: Tensor, run_starts: Tensor, counted: Tensor, *, efron: bool
) -> Tensor:
    """Sum the terms of the docstring above over rows in risk order.

    A *run* is a set of rows with one stratum, time and event indicator: the set D of tied events.
    All arguments are (patient,); the ``starts`` say where a stratum or a run begins.
    """
    row = torch.arange(len(hazard), device=hazard.device)
    first, last = _bounds(run_starts)
    stratum_first, _ = _bounds(stratum_starts)

    at_risk = segmented_logcumsumexp(hazard, row - stratum_first)
    # log C: everybody at risk but the tied events, who stand last among the tied patients.
    alone = first == stratum_first
    log_rest = torch.where(alone, -1e30, at_risk[(first - 1).clamp(min=0)])
    log_tied = segmented_logcumsumexp(hazard, row - first)[last]
    if efron:
        tied = last - first + 1  # d
        log_tied = log_tied + ((last - row + 1).to(hazard.dtype) / tied).log()  # (d - l) / d
    log_denominator = torch.logaddexp(log_rest, log_tied)

    # Each counted event takes the average of the d denominators of its run: a share each.
    total = counted.to(torch.int64).cumsum(0)
    counted_in_run = total[last] - total[first] + counted[first]
    share = counted_in_run.to(hazard.dtype) / (last - first + 1)
    terms = share * log_denominator - counted * hazard
    return terms.sum() / counted.sum().clamp(min=1)


def segmented_logcumsumexp(x: Tensor, position: Tensor) -> Tensor:
    """Cumulative log-sum-exp that starts anew with every segment.

    Doubling (Hillis and Steele): after pass k every row holds the log-sum-exp of up to 2^k rows
    that end with it. The log2(n) passes add pairwise, so float32 does not stall at large n as a
    running sum does, no -inf appears, and gradients are products of softmax weights: always finite.

    Args:
        x: (row,) float.
        position: (row,) integers, place within the segment: 0 where one starts, then 1, 2, ...

    Returns:
        (row,): ``log(sum(exp(x[j])))`` over the rows j of the segment up to and with this one.
    """
    longest, width = int(position.max()) + 1, 1
    while width < longest:
        joined = torch.logaddexp(x[width:], x[:-width])
        joined = torch.where(position[width:] >= width, joined, x[width:])
        x, width = torch.cat([x[:width], joined]), 2 * width
    return x


def _risk_order(time: Tensor, event: Tensor, strata: Tensor) -> Tensor:
    """Sort by stratum, then the latest time first, then the censored before the events."""
    order = event.to(torch.uint8).argsort(stable=True)
    order = order[time[order].argsort(descending=True, stable=True)]
    return order[strata[order].argsort(stable=True)]


def _starts(*keys: Tensor) -> Tensor:
    """(row,) bool: where one of the keys differs from the row before."""
    starts = torch.ones_like(keys[0], dtype=torch.bool)
    starts[1:] = torch.stack([key[1:] != key[:-1] for key in keys]).any(0)
    return starts


def _bounds(starts: Tensor) -> tuple[Tensor, Tensor]:
    """First and last row of the segment that each row is in."""
    row = torch.arange(len(starts), device=starts.device)
    first = torch.where(starts, row, 0).cummax(0).values
    ends = starts.roll(-1)  # the first row always starts a segment, so the last row ends one
    last = torch.where(ends, row, len(starts) - 1).flip(0).cummin(0).values.flip(0)
    return first, last

"""The Cox partial likelihood: exact with ties, finite for any log hazard, connected without events.

Everything is a sorted cumulative log-sum-exp, so the cost is O(n log n) and nothing is n x n.
"""

from typing import Literal

import torch
from torch import Tensor

Ties = Literal["efron", "breslow"]
"""How tied event times enter the likelihood."""


def neg_partial_log_likelihood(
    log_hazard: Tensor,
    time: Tensor,
    event: Tensor,
    *,
    ties: Ties = "efron",
    strata: Tensor | None = None,
    counted: Tensor | None = None,
) -> Tensor:
    r"""Negative Cox partial log likelihood, mean over events.

    At an event time with tied events :math:`D` (:math:`d` of them) and risk set
    :math:`R = \{j : T_j \ge t\}`, with :math:`E = \sum_D e^{h}` and :math:`C = \sum_{R \setminus D}
    e^{h}`, each event :math:`i \in D` contributes

    .. math::
        -h_i + \frac{1}{d} \sum_{l=0}^{d-1} \log\left(C + \frac{d - l}{d} E\right)
        \quad\text{(Efron)}, \qquad -h_i + \log(C + E) \quad\text{(Breslow)}.

    Written like this nothing is subtracted, so the logarithms stay finite with finite gradients
    for any log hazards, tied or not. The risk set does not depend on the order of the rows: a
    patient censored on the day of an event is at risk on that day. The value is the one of R's
    ``coxph`` divided by minus the number of events.

    A row whose ``time`` or ``event`` is NaN has no label and is in no risk set. Without any event
    the loss is 0 and still connected to ``log_hazard`` (zero gradients, so that data-parallel
    training does not hang). Half precision is computed in float32, also under autocast; float64 is
    kept.

    Under data-parallel training hand in the *gathered* batch (``all_gather`` with gradient, no
    world-size factor; pad uneven batches with NaN labels): risk sets span the global batch.

    TorchSurv 0.2.0 gives the same value (mean) and gradient where no two patients share a time, at
    least one has an event and log hazards are moderate; it is an oracle of our tests there. With an
    event tied to a censoring its value depends on the row order, its Efron overflows from about 89,
    its mean divides by distinct event times, and without events its loss is cut from the graph.

    Args:
        log_hazard: (patient,) or (patient, 1) float, higher = earlier event.
        time: (patient,) time to event or censoring, in days (any unit serves); NaN = no label.
        event: (patient,) 1 = event, 0 = censored; NaN = no label.
        ties: Efron's (default, as in R) or Breslow's handling of tied event times.
        strata: (patient,) integers; a risk set only holds patients of one stratum.
        counted: (patient,) bool. Events that enter the mean (default: all). Everybody still enters
            the risk sets and the tie terms, e.g. the remembered patients of a risk bank.

    Returns:
        Scalar, float32 or float64.

    Raises:
        ValueError: Shapes that do not fit, or unknown ``ties``.

    References:
        Cox 1972; Breslow 1974; Efron 1977 (doi 10.1080/01621459.1977.10480613).

    Example:
        >>> h, t = torch.tensor([0.5, -0.5, 0.0]), torch.tensor([10.0, 20.0, 20.0])
        >>> neg_partial_log_likelihood(h, t, torch.tensor([1, 0, 1])).round(decimals=4)
        tensor(0.5772)
    """
    if ties not in ("efron", "breslow"):
        raise ValueError(f"ties is {ties!r}; expected 'efron' or 'breslow'.")
    hazard = _column(log_hazard, "log_hazard", None)
    n = hazard.shape[0]
    time, event = _column(time, "time", n), _column(event, "event", n)
    strata = torch.zeros_like(time) if strata is None else _column(strata, "strata", n)
    counted = None if counted is None else _column(counted, "counted", n).bool()
    if hazard.dtype != torch.float64:
        hazard = hazard.float()
    if n == 0:
        return hazard.sum()

    with torch.autocast(hazard.device.type, enabled=False):
        labeled = ~(time.isnan() | event.isnan())
        happened = labeled & (event > 0)
        counted = happened if counted is None else happened & counted
        # Last in time, the unlabeled are in nobody's risk set; 0 keeps them in the graph.
        time = torch.where(labeled, time.to(_float_of(time)), -torch.inf)
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


def _column(values: Tensor, name: str, n: int | None) -> Tensor:
    """Check that ``values`` is one number for each patient and make it (patient,)."""
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
        raise ValueError(
            f"'{name}' has shape {tuple(values.shape)}; expected (patient,) or (patient, 1)."
        )
    values = values.reshape(-1)
    if n is not None and len(values) != n:
        raise ValueError(f"'{name}' has {len(values)} patients but 'log_hazard' has {n}.")
    return values


def _float_of(time: Tensor) -> torch.dtype:
    """Keep the precision of the times: rounding would make ties."""
    return time.dtype if time.is_floating_point() else torch.get_default_dtype()

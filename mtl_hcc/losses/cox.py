"""The Cox partial likelihood: exact with ties, finite for any log hazard, connected without events.

Everything is a sorted cumulative log-sum-exp in float64, so the cost is that of a sort and nothing
is n x n. The gradient is the same scan from the other end: it is written out rather than derived,
for one array in place of a graph.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

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
    training does not hang). Half precision gives float32, also under autocast; float64 is kept.
    Nothing waits for the device. A second derivative is refused.

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
    strata = None if strata is None else _column(strata, "strata", n)
    counted = None if counted is None else _column(counted, "counted", n).bool()
    if hazard.dtype != torch.float64:
        hazard = hazard.float()
    if n == 0:
        return hazard.sum()

    labeled = ~(time.isnan() | event.isnan())
    counted = labeled if counted is None else labeled & counted
    # 0 keeps the unlabeled in the graph.
    hazard = torch.where(labeled, hazard, 0.0)
    rows = _rows(time, labeled & (event > 0), labeled, strata)
    mean: Callable[..., Tensor] = _MeanOverEvents.apply  # torch leaves it without types
    return mean(hazard, counted & (event > 0), rows, ties == "efron")


class _Rows(NamedTuple):
    """Who is in whose risk set, (patient,) each, in risk order but ``order`` itself.

    A *run* is a set of rows with one stratum, time and event indicator: the set D of tied events.

    Attributes:
        order: By stratum, then the latest time first, then the censored before the events.
        first: First row of the run.
        last: Last row of the run.
        stratum_first: First row of the stratum; ``None`` where all are in one.
        stratum_last: Last row of the stratum, likewise.
    """

    order: Tensor
    first: Tensor
    last: Tensor
    stratum_first: Tensor | None
    stratum_last: Tensor | None

    def sum_of_run(self, values: Tensor) -> Tensor:
        """Return for each row the sum over its run."""
        total = torch.zeros_like(values).index_add_(0, self.first, values)
        return total.index_select(0, self.first)

    def share(self, counted: Tensor) -> Tensor:
        """Return for each row the share of its run that counts."""
        return self.sum_of_run(counted.double()).div_(self.last - self.first + 1)

    def part(self, *, efron: bool) -> Tensor | float:
        """Return the part of E that is in each row's denominator: (d - l) / d by Efron, else 1."""
        left = self.last - _numbers(self.last) + 1
        return left.double().div_(self.last - self.first + 1) if efron else 1.0


def _rows(time: Tensor, event: Tensor, labeled: Tensor, strata: Tensor | None) -> _Rows:
    """Sort the patients, those without a label last in time, and find the runs."""
    time = _latest_first(time, labeled)
    order = event.to(torch.uint8).argsort(stable=True)
    order = order[time[order].argsort(stable=True)]
    if strata is None:
        return _Rows(order, *_bounds(_starts(time[order], event[order])), None, None)
    order = order[strata[order].argsort(stable=True)]
    strata = strata[order]
    runs = _bounds(_starts(strata, time[order], event[order]))
    return _Rows(order, *runs, *_bounds(_starts(strata)))


class _MeanOverEvents(torch.autograd.Function):
    """Mean of the terms above over the counted events; the gradient is computed with the value."""

    @staticmethod
    def forward(ctx: Any, hazard: Tensor, counted: Tensor, rows: _Rows, efron: bool) -> Tensor:
        number = counted.sum().clamp(min=1)
        counted, in_order = counted[rows.order], hazard.detach()[rows.order].double()
        in_order -= in_order.amax()
        level, denominator = _denominators(in_order, rows, efron=efron)
        total = denominator.log().add_(level).mul_(rows.share(counted)).sub_(counted * in_order)
        value = (total.sum() / number).to(hazard)
        del total
        if ctx.needs_input_grad[0]:
            gradient = _gradient(in_order, counted, rows, level, denominator, efron=efron)
            mean = gradient.div_(number).to(hazard)
            ctx.save_for_backward(torch.empty_like(hazard).scatter_(0, rows.order, mean))
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        if torch.is_grad_enabled():  # else the second derivative would be 0 without a word
            raise RuntimeError("The Cox loss has no second derivative here; leave create_graph.")
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None


def _denominators(hazard: Tensor, rows: _Rows, *, efron: bool) -> tuple[Tensor, Tensor]:
    """Return log(C + E), and the row's denominator as a part of C + E.

    The part lies between 1 / d and 1: nothing overflows, vanishes or is subtracted.

    Args:
        hazard: (patient,) float64 in risk order.
        rows: Of the risk order.
        efron: Else Breslow's.
    """
    at_risk = _logcumsumexp(hazard, rows.stratum_first)
    level = at_risk.index_select(0, rows.last)
    # C: everybody at risk but the tied events, who stand last among the tied patients.
    denominator = at_risk.index_select(0, (rows.first - 1).clamp_(min=0)).sub_(level).exp_()
    alone = rows.first == (0 if rows.stratum_first is None else rows.stratum_first)
    denominator.masked_fill_(alone, 0.0)
    del at_risk, alone
    tied = rows.sum_of_run((hazard - level).exp_())
    return level, denominator.add_(tied.mul_(rows.part(efron=efron)))


def _gradient(
    hazard: Tensor,
    counted: Tensor,
    rows: _Rows,
    level: Tensor,
    denominator: Tensor,
    *,
    efron: bool,
) -> Tensor:
    """Return the gradient of the sum: a hazard is in the denominators of its and all later runs.

    Args:
        hazard: As in :func:`_denominators`.
        counted: (patient,) bool in risk order.
        rows: Of the risk order.
        level: From :func:`_denominators`; used up.
        denominator: Likewise.
        efron: Else Breslow's.
    """
    weight = rows.share(counted).div_(denominator)
    gradient = rows.sum_of_run(weight * rows.part(efron=efron)).mul_((hazard - level).exp_())
    gradient -= counted.to(hazard)
    end = len(hazard) - 1
    later = weight.log_().sub_(level).flip(0)
    del weight
    later = _logcumsumexp(
        later, None if rows.stratum_last is None else end - rows.stratum_last.flip(0)
    ).flip(0)
    later = later.index_select(0, (rows.last + 1).clamp_(max=end)).add_(hazard).exp_()
    later.masked_fill_(rows.last == (end if rows.stratum_last is None else rows.stratum_last), 0.0)
    return gradient.add_(later)


def _logcumsumexp(x: Tensor, first: Tensor | None) -> Tensor:
    """Cumulative log-sum-exp, (row,), that starts anew with every segment.

    Args:
        x: (row,) float64.
        first: (row,) First row of the segment; ``None``: one segment, for which torch has a kernel.
            Else by doubling (Hillis and Steele): after pass k every row holds the log-sum-exp of up
            to 2^k rows that end with it.
    """
    if first is None:
        return x.logcumsumexp(0)
    place, width = _numbers(x) - first, 1
    while width < len(x):
        joined = torch.logaddexp(x[width:], x[:-width])
        joined = torch.where(place[width:] >= width, joined, x[width:])
        x, width = torch.cat([x[:width], joined]), 2 * width
    return x


def _latest_first(time: Tensor, labeled: Tensor) -> Tensor:
    """Return integers that sort as the times do, the latest first, the unlabeled last.

    They are the bits of the floats, which torch sorts three to seven times as fast as the floats.
    """
    if not time.is_floating_point():
        time = time.to(torch.get_default_dtype())
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[time.element_size()]
    bits = (torch.where(labeled, time, -torch.inf) + 0.0).view(kind)  # -0.0 becomes 0.0
    bits ^= (bits >> 8 * time.element_size() - 1) & torch.iinfo(kind).max  # negative: turned round
    return bits.bitwise_not_()


def _numbers(rows: Tensor) -> Tensor:
    """Return 0, 1, ... for each row."""
    return torch.arange(len(rows), device=rows.device, dtype=torch.int32)


def _starts(*keys: Tensor) -> Tensor:
    """(row,) bool: where one of the keys differs from the row before."""
    starts = torch.ones_like(keys[0], dtype=torch.bool)
    starts[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        starts[1:] |= key[1:] != key[:-1]
    return starts


def _bounds(starts: Tensor) -> tuple[Tensor, Tensor]:
    """First and last row of the segment that each row is in."""
    row = _numbers(starts)
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

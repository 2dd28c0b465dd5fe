"""Values of the Cox loss against R, lifelines, TorchSurv and the textbook formula."""

import csv
import math
import time as clock
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import lifelines
import numpy as np
import pandas as pd
import pytest
import torch
import torchsurv.loss.cox as torchsurv_cox
from naive_cox import naive_loss
from torch import Tensor

from mtl_hcc.losses import neg_partial_log_likelihood

ORACLES = Path(__file__).parents[1] / "oracles" / "cox"


def rows(name: str) -> list[dict[str, str]]:
    with (ORACLES / name).open() as file:
        return list(csv.DictReader(file))


def patients_of_r() -> dict[str, dict[str, Tensor]]:
    columns: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows("patients.csv"):
        for name in ("time", "event", "stratum", "x"):
            columns[row["data"]][name].append(float(row[name]))
    return {
        data: {name: torch.tensor(values, dtype=torch.float64) for name, values in parts.items()}
        for data, parts in columns.items()
    }


def quietly(loss: Callable[..., Tensor], *args: Tensor, **settings: str) -> Tensor:
    """TorchSurv warns about every tied batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return loss(*args, **settings)


@pytest.mark.parametrize(
    "row", rows("loglik.csv"), ids=lambda row: "-".join(list(row.values())[:4])
)
def test_value_and_derivative_are_those_of_coxph_in_r(row: dict[str, str]) -> None:
    patients = patients_of_r()[row["data"]]
    beta = torch.tensor(float(row["beta"]), dtype=torch.float64, requires_grad=True)
    loss = neg_partial_log_likelihood(
        beta * patients["x"],
        patients["time"],
        patients["event"],
        ties=row["ties"],
        strata=patients["stratum"].long() if row["stratified"] == "1" else None,
    )
    loss.backward()
    events = int(row["events"])
    assert events == int(patients["event"].sum())
    assert loss.item() == pytest.approx(-float(row["loglik"]) / events, rel=1e-12)
    assert beta.grad.item() == pytest.approx(-float(row["score"]) / events, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("data", ["untied", "months", "heavy"])
def test_value_at_the_fitted_coefficient_is_that_of_lifelines(data: str) -> None:
    patients = patients_of_r()[data]
    table = pd.DataFrame({name: patients[name].numpy() for name in ("time", "event", "x")})
    fitted = lifelines.CoxPHFitter().fit(table, "time", "event")  # Efron
    beta = torch.tensor(fitted.params_["x"], dtype=torch.float64, requires_grad=True)
    loss = neg_partial_log_likelihood(beta * patients["x"], patients["time"], patients["event"])
    loss.backward()
    assert loss.item() * table["event"].sum() == pytest.approx(-fitted.log_likelihood_, rel=1e-9)
    assert beta.grad.item() == pytest.approx(0, abs=1e-3)  # lifelines stops near the maximum


@pytest.mark.parametrize("n", [2, 9, 200])
def test_value_and_gradient_are_those_of_torchsurv_on_untied_moderate_cases(n: int) -> None:
    draw = torch.Generator().manual_seed(n)
    h = torch.randn(n, generator=draw, requires_grad=True)
    time = torch.randperm(n, generator=draw).float() + 1
    event = torch.rand(n, generator=draw) < 0.5
    event[0] = True
    ours = neg_partial_log_likelihood(h, time, event)
    theirs = torchsurv_cox.neg_partial_log_likelihood(h, event, time)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, h)[0] for loss in (ours, theirs)))


def test_torchsurv_counterexample_row_order_with_an_event_tied_to_a_censoring() -> None:
    h = torch.tensor([0.5, -0.3, 1.2, 0.1])
    time, event = torch.tensor([5.0, 5.0, 3.0, 8.0]), torch.tensor([True, False, True, False])
    swapped = torch.tensor([1, 0, 2, 3])
    theirs = [
        torchsurv_cox.neg_partial_log_likelihood(h[o], event[o], time[o])
        for o in (torch.arange(4), swapped)
    ]
    ours = [neg_partial_log_likelihood(h[o], time[o], event[o]) for o in (torch.arange(4), swapped)]
    assert abs(theirs[0] - theirs[1]) > 0.01  # why we do not use it
    assert ours[0] == ours[1]
    expected = (
        math.log(sum(map(math.exp, [0.5, -0.3, 1.2, 0.1]))) - 1.2
        + math.log(sum(map(math.exp, [0.5, -0.3, 0.1]))) - 0.5
    ) / 2  # fmt: skip
    assert ours[0].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("level", [89.0, 100.0, 1000.0, -100.0, -1000.0])
def test_torchsurv_counterexample_overflow_with_ties(ties: str, level: float) -> None:
    h = torch.tensor([0.3, -0.4, 0.9, 0.0])
    time, event = torch.tensor([4.0, 4.0, 6.0, 6.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    expected = naive_loss(h.double(), time, event, ties=ties).item()
    shifted = (h + level).requires_grad_()
    theirs = quietly(
        torchsurv_cox.neg_partial_log_likelihood, shifted, event.bool(), time, ties_method=ties
    )
    (their_gradient,) = torch.autograd.grad(theirs, shifted)
    ours = neg_partial_log_likelihood(shifted, time, event, ties=ties)
    (gradient,) = torch.autograd.grad(ours, shifted)
    assert not (theirs.isfinite() and their_gradient.isfinite().all())  # why we do not use it
    assert ours.item() == pytest.approx(expected, abs=1e-4)
    assert gradient.isfinite().all()


def test_torchsurv_counterexample_mean_is_over_events_not_event_times() -> None:
    h, time, event = torch.zeros(4), torch.tensor([2.0, 2.0, 2.0, 5.0]), torch.tensor([1, 1, 1, 0])
    ours = neg_partial_log_likelihood(h, time, event)
    theirs = quietly(torchsurv_cox.neg_partial_log_likelihood, h, event.bool(), time)
    assert ours.item() == pytest.approx((math.log(4) + math.log(3) + math.log(2)) / 3)
    assert theirs.item() == pytest.approx(3 * ours.item())


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_worked_example_of_three_tied_events_and_one_counted(ties: str) -> None:
    h = torch.zeros(4)
    time, event = torch.tensor([2.0, 2.0, 2.0, 5.0]), torch.tensor([1, 1, 1, 0])
    counted = torch.tensor([False, True, False, True])
    loss = neg_partial_log_likelihood(h, time, event, ties=ties, counted=counted)
    expected = math.log(24) / 3 if ties == "efron" else math.log(4)
    assert loss.item() == pytest.approx(expected)


def test_one_million_tied_patients_take_seconds() -> None:
    draw = torch.Generator().manual_seed(0)
    h = torch.empty(1_000_000).uniform_(-1e3, 1e3, generator=draw).requires_grad_()
    time = (torch.rand(len(h), generator=draw) * 3000).ceil()
    event = torch.rand(len(h), generator=draw) < 0.4
    began = clock.perf_counter()
    loss = neg_partial_log_likelihood(h, time, event)
    loss.backward()
    assert clock.perf_counter() - began < 20  # about 1 s on one idle core
    assert h.grad.isfinite().all()
    exact = neg_partial_log_likelihood(h.detach().double(), time, event)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)


def test_float32_does_not_stall_in_long_sums() -> None:
    # A running float32 sum of 2^25 ones stops at 2^24; here a million equal hazards, one event.
    n = 1_000_000
    time = torch.arange(n).float()
    event = (time == 0).float()
    loss = neg_partial_log_likelihood(torch.zeros(n), time, event)
    assert loss.item() == pytest.approx(np.log(n), rel=1e-6)

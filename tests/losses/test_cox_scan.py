"""The Cox loss against version 0.1 (doubling, autograd), at any spread, and without waiting."""

import pytest
import torch
from doubling_cox import doubling_loss
from hypothesis import given
from hypothesis import strategies as st
from test_cox_properties import CHECKED, TIES, Batch, batches, value_and_gradient
from torch import Tensor
from waiting import WAITING, Calls

from mtl_hcc.losses import neg_partial_log_likelihood


def of_the_earlier_version(h: Tensor, *args: Tensor, **settings: object) -> tuple[Tensor, Tensor]:
    h = h.detach().requires_grad_()
    loss = doubling_loss(h, *args, **settings)
    return loss.detach(), torch.autograd.grad(loss, h)[0]


def cohort(n: int, *, spread: float = 1.0) -> Batch:
    """Whole days, 40% events, four strata, half of the events counted."""
    draw = torch.Generator().manual_seed(n)
    return Batch(
        torch.randn(n, generator=draw, dtype=torch.float64) * spread,
        (torch.rand(n, generator=draw, dtype=torch.float64) * n / 3).ceil(),
        (torch.rand(n, generator=draw) < 0.4).double(),
        torch.randint(0, 4, (n,), generator=draw),
        torch.rand(n, generator=draw) < 0.5,
    )


@CHECKED
@given(
    batches(), TIES, st.booleans(), st.booleans(), st.sampled_from([1.0, 1e2, 1e4]), st.booleans()
)
def test_value_and_gradient_are_those_of_the_earlier_version(
    batch: Batch, ties: str, stratified: bool, some: bool, spread: float, shifted: bool
) -> None:
    chosen = {
        "ties": ties,
        "strata": batch.strata if stratified else None,
        "counted": batch.counted if some else None,
    }
    # Days before the first day sort as others do, and 0 and -0 are one day.
    time = (batch.time - 4) * -1.0 if shifted else batch.time
    args = batch.log_hazard * spread, time, batch.event
    torch.testing.assert_close(
        value_and_gradient(*args, **chosen),
        of_the_earlier_version(*args, **chosen),
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize("n", [33, 5_000, 40_000])
@pytest.mark.parametrize("spread", [1.0, 3000.0])
@pytest.mark.parametrize("stratified", [False, True])
def test_larger_cohorts_too(n: int, spread: float, stratified: bool) -> None:
    h, time, event, strata, counted = cohort(n, spread=spread)
    chosen = {"strata": strata if stratified else None, "counted": counted}
    found = value_and_gradient(h, time, event, **chosen)
    expected = of_the_earlier_version(h, time, event, **chosen)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_zero_and_minus_zero_are_one_day() -> None:
    h, event = torch.tensor([0.3, -0.2, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    signed, plain = torch.tensor([-0.0, 0.0, -0.0]), torch.zeros(3)
    assert torch.equal(
        neg_partial_log_likelihood(h, signed, event), neg_partial_log_likelihood(h, plain, event)
    )


@pytest.mark.parametrize(
    "kind", [torch.float16, torch.bfloat16, torch.float32, torch.int16, torch.int64]
)
def test_times_of_any_kind_sort_alike(kind: torch.dtype) -> None:
    h, time, event, strata, _ = cohort(60)
    time -= 7
    expected = value_and_gradient(h, time, event, strata=strata)
    torch.testing.assert_close(value_and_gradient(h, time.to(kind), event, strata=strata), expected)


@pytest.mark.parametrize("largest", [1e4, 1e20, 3e38])
@pytest.mark.parametrize("stratified", [False, True])
def test_any_log_hazard_of_float32_gives_finite_numbers(largest: float, stratified: bool) -> None:
    h, time, event, strata, _ = cohort(300)
    h = (h.sign() * torch.linspace(0, largest, 300, dtype=torch.float64)).float()
    for ties in ("efron", "breslow"):
        chosen = {"ties": ties, "strata": strata if stratified else None}
        exact, gradient = value_and_gradient(h.double(), time, event, **chosen)
        assert exact.isfinite()
        assert gradient.isfinite().all()
        _, of_float32 = value_and_gradient(h, time, event, **chosen)
        torch.testing.assert_close(of_float32.double(), gradient, rtol=1e-6, atol=1e-9)


def test_a_million_patients_in_float32_are_as_exact_as_in_float64() -> None:
    h, time, event, _, _ = cohort(1_000_000, spread=2.0)
    h = h.float()
    exact, exact_gradient = value_and_gradient(h.double(), time, event)
    loss, gradient = value_and_gradient(h, time, event)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-7)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("stratified", [False, True])
def test_neither_value_nor_gradient_waits_for_the_device(stratified: bool) -> None:
    h, time, event, strata, counted = cohort(50)
    h.requires_grad_()
    with Calls() as calls:
        loss = neg_partial_log_likelihood(
            h, time, event, strata=strata if stratified else None, counted=counted
        )
        loss.backward()
    assert "scatter_" in calls.names, "the operations inside the loss are seen"
    assert not set(calls.names) & set(WAITING)


def test_a_second_derivative_is_refused_rather_than_zero() -> None:
    h, time, event, _, _ = cohort(20)
    h.requires_grad_()
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(neg_partial_log_likelihood(h, time, event), h, create_graph=True)

"""What the Cox loss promises for any batch: invariances, finite numbers, missing labels."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cox import naive_loss
from torch import Tensor

from mtl_hcc.losses import neg_partial_log_likelihood

TIES = st.sampled_from(["efron", "breslow"])
CHECKED = settings(deadline=None, max_examples=80, derandomize=True)


class Batch(NamedTuple):
    log_hazard: Tensor
    time: Tensor
    event: Tensor
    strata: Tensor
    counted: Tensor


@st.composite
def batches(draw: st.DrawFn, *, limit: float = 3.0, missing: bool = True, least: int = 1) -> Batch:
    """Whole-day times from a short range, so that events tie with events and with censorings."""
    n = draw(st.integers(least, 24))

    def column(values: st.SearchStrategy[float]) -> Tensor:
        return torch.tensor(draw(st.lists(values, min_size=n, max_size=n)), dtype=torch.float64)

    absent = st.just(float("nan")) if missing else st.nothing()
    return Batch(
        log_hazard=column(st.floats(-limit, limit, width=32)),
        time=column(st.integers(1, 7).map(float) | absent),
        event=column(st.sampled_from([0.0, 1.0]) | absent),
        strata=column(st.integers(0, 2)).long(),
        counted=column(st.integers(0, 1)).bool(),
    )


def value_and_gradient(h: Tensor, *args: Tensor, **settings: object) -> tuple[Tensor, Tensor]:
    h = h.detach().requires_grad_()
    loss = neg_partial_log_likelihood(h, *args, **settings)
    (gradient,) = torch.autograd.grad(loss, h)
    return loss.detach(), gradient


@CHECKED
@given(batches(), TIES, st.booleans(), st.booleans())
def test_loss_and_gradient_are_the_textbook_ones(
    batch: Batch, ties: str, stratified: bool, some: bool
) -> None:
    chosen = {
        "ties": ties,
        "strata": batch.strata if stratified else None,
        "counted": batch.counted if some else None,
    }
    loss, gradient = value_and_gradient(batch.log_hazard, batch.time, batch.event, **chosen)
    h = batch.log_hazard.clone().requires_grad_()
    expected = naive_loss(h, batch.time, batch.event, **chosen)
    (expected_gradient,) = torch.autograd.grad(expected, h)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-10)


@CHECKED
@given(batches(limit=300.0), TIES)
def test_gradient_is_right_far_out_in_the_tails(batch: Batch, ties: str) -> None:
    h = batch.log_hazard.clone().requires_grad_()
    loss, gradient = value_and_gradient(batch.log_hazard, batch.time, batch.event, ties=ties)
    expected = naive_loss(h, batch.time, batch.event, ties=ties)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, h)[0], atol=1e-9, rtol=1e-9)
    assert gradient.isfinite().all()
    assert gradient.sum().item() == pytest.approx(0, abs=1e-9)  # shift invariance, differentiated


@CHECKED
@given(batches(), TIES, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(batch: Batch, ties: str, random: object) -> None:
    rows = list(range(len(batch.time)))
    random.shuffle(rows)
    shuffled = Batch(*(column[rows] for column in batch))
    results = [
        value_and_gradient(
            b.log_hazard, b.time, b.event, ties=ties, strata=b.strata, counted=b.counted
        )
        for b in (batch, shuffled)
    ]
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(results[0][1][rows], results[1][1], rtol=1e-11, atol=1e-12)


@CHECKED
@given(batches(), TIES, st.floats(-1e3, 1e3))
def test_a_constant_added_to_all_log_hazards_does_not_matter(
    batch: Batch, ties: str, constant: float
) -> None:
    results = [
        value_and_gradient(h, batch.time, batch.event, ties=ties)
        for h in (batch.log_hazard, batch.log_hazard + constant)
    ]
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


@CHECKED
@given(batches(limit=1e3), TIES, st.booleans())
def test_float32_is_finite_and_right_for_log_hazards_up_to_1000(
    batch: Batch, ties: str, stratified: bool
) -> None:
    strata = batch.strata if stratified else None
    exact, exact_gradient = value_and_gradient(
        batch.log_hazard, batch.time, batch.event, ties=ties, strata=strata
    )
    loss, gradient = value_and_gradient(
        batch.log_hazard.float(), batch.time, batch.event, ties=ties, strata=strata
    )
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), abs=1e-3, rel=1e-5)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient.double(), exact_gradient, atol=2e-3, rtol=2e-3)


@CHECKED
@given(batches(least=2), TIES)
def test_patients_without_a_label_change_nothing_and_get_no_gradient(
    batch: Batch, ties: str
) -> None:
    labeled = ~(batch.time.isnan() | batch.event.isnan())
    loss, gradient = value_and_gradient(batch.log_hazard, batch.time, batch.event, ties=ties)
    alone, alone_gradient = value_and_gradient(
        batch.log_hazard[labeled], batch.time[labeled], batch.event[labeled], ties=ties
    )
    torch.testing.assert_close(loss, alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient[labeled], alone_gradient, rtol=1e-11, atol=1e-12)
    assert (gradient[~labeled] == 0).all()


@pytest.mark.parametrize("unknown", [float("nan"), float("inf"), -1e30])
def test_an_impossible_log_hazard_of_an_unlabeled_patient_does_no_harm(unknown: float) -> None:
    h = torch.tensor([0.2, unknown, -0.3])
    time, event = torch.tensor([3.0, torch.nan, 5.0]), torch.tensor([1.0, torch.nan, 0.0])
    loss, gradient = value_and_gradient(h, time, event)
    expected = naive_loss(torch.tensor([0.2, -0.3]), time[[0, 2]], event[[0, 2]])
    torch.testing.assert_close(loss, expected)
    assert gradient[1] == 0
    assert gradient.isfinite().all()


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("event", [[0.0, 0.0, 0.0], [torch.nan] * 3, [0.0, torch.nan, 0.0]])
def test_without_events_the_loss_is_zero_and_connected(ties: str, event: list[float]) -> None:
    network = torch.nn.Linear(2, 1)
    h = network(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))  # (patient, 1)
    loss = neg_partial_log_likelihood(
        h, torch.tensor([1.0, 2.0, 2.0]), torch.tensor(event), ties=ties
    )
    loss.backward()
    assert loss.item() == 0
    assert (network.weight.grad == 0).all()
    assert (network.bias.grad == 0).all()


def test_an_empty_batch_is_zero_and_connected() -> None:
    h = torch.zeros(0, requires_grad=True)
    loss = neg_partial_log_likelihood(h, torch.zeros(0), torch.zeros(0))
    loss.backward()
    assert loss.item() == 0
    assert h.grad.shape == (0,)


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_one_patient_gives_zero(shape: tuple[int, ...]) -> None:
    h = torch.full(shape, 2.5, requires_grad=True)
    loss = neg_partial_log_likelihood(h, torch.ones(1), torch.ones(1))
    loss.backward()
    assert loss.item() == 0
    assert h.grad.item() == 0


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", range(4))
def test_gradient_matches_finite_differences(ties: str, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    h = torch.randn(17, generator=draw, dtype=torch.float64) * 4
    time = torch.randint(1, 6, (17,), generator=draw).double()
    event = (torch.rand(17, generator=draw) < 0.6).double()
    strata = torch.randint(0, 2, (17,), generator=draw) if seed % 2 else None
    counted = torch.rand(17, generator=draw) < 0.5 if seed > 1 else None
    assert torch.autograd.gradcheck(
        lambda x: neg_partial_log_likelihood(
            x, time, event, ties=ties, strata=strata, counted=counted
        ),
        h.requires_grad_(),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_also_under_autocast(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(5)
    h = torch.randn(64, generator=draw).to(dtype)
    time = torch.randint(1, 30, (64,), generator=draw).float()
    event = torch.rand(64, generator=draw) < 0.5
    expected = neg_partial_log_likelihood(h.float(), time, event)
    with torch.autocast("cpu", dtype=dtype):
        loss, gradient = value_and_gradient(h, time, event)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype
    assert torch.equal(loss, expected)


def test_float64_and_its_times_are_kept() -> None:
    h = torch.tensor([0.1, 0.2], dtype=torch.float64)
    time = torch.tensor([1000.0, 1000.0 + 1e-9], dtype=torch.float64)  # tied if rounded to float32
    loss = neg_partial_log_likelihood(h, time, torch.ones(2))
    assert loss.dtype == torch.float64
    torch.testing.assert_close(loss, naive_loss(h, time, torch.ones(2)))


@CHECKED
@given(batches(missing=False), TIES)
def test_counted_terms_add_up_to_the_whole(batch: Batch, ties: str) -> None:
    h, time, event = batch.log_hazard, batch.time, batch.event
    parts = [
        neg_partial_log_likelihood(h, time, event, ties=ties, counted=part)
        * (part & (event == 1)).sum()
        for part in (batch.counted, ~batch.counted)
    ]
    whole = neg_partial_log_likelihood(h, time, event, ties=ties) * event.sum()
    torch.testing.assert_close(sum(parts), whole, rtol=1e-11, atol=1e-11)


def test_shapes_that_do_not_fit_are_named_with_both_sizes() -> None:
    with pytest.raises(ValueError, match="'time' has 2 patients but 'log_hazard' has 3"):
        neg_partial_log_likelihood(torch.zeros(3), torch.ones(2), torch.ones(3))
    with pytest.raises(ValueError, match="'counted' has 1 patients but 'log_hazard' has 3"):
        neg_partial_log_likelihood(
            torch.zeros(3), torch.ones(3), torch.ones(3), counted=torch.ones(1)
        )
    with pytest.raises(ValueError, match=r"'log_hazard' has shape \(3, 2\)"):
        neg_partial_log_likelihood(torch.zeros(3, 2), torch.ones(3), torch.ones(3))
    with pytest.raises(ValueError, match="expected 'efron' or 'breslow'"):
        neg_partial_log_likelihood(torch.zeros(3), torch.ones(3), torch.ones(3), ties="exact")

"""The risk bank: exact when full, closed to validation patients, the same after a restart."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from waiting import WAITING, Calls

from mtl_hcc.losses import RiskBank, neg_partial_log_likelihood

COHORT = 30


class Cohort:
    """Thirty patients with two endpoints, ties and missing labels."""

    def __init__(self, seed: int = 0) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.x = torch.randn(COHORT, 2, generator=draw)
        self.times, self.events = {}, {}
        for name in ("os", "rfs"):
            self.times[name] = torch.randint(1, 12, (COHORT,), generator=draw).float()
            self.events[name] = (torch.rand(COHORT, generator=draw) < 0.5).float()
            self.times[name][torch.rand(COHORT, generator=draw) < 0.2] = torch.nan
        self.weight = torch.tensor([0.9, -0.6], requires_grad=True)

    def scores(self, rows: Tensor) -> Tensor:
        return self.x[rows] @ self.weight

    def write(self, bank: RiskBank, rows: Tensor) -> None:
        bank.write(
            rows,
            dict.fromkeys(("os", "rfs"), self.scores(rows)),
            {name: values[rows] for name, values in self.times.items()},
            {name: values[rows] for name, values in self.events.items()},
        )

    def loss(self, bank: RiskBank, endpoint: str, rows: Tensor, ties: str = "efron") -> Tensor:
        return bank.loss(
            endpoint,
            rows,
            self.scores(rows),
            self.times[endpoint][rows],
            self.events[endpoint][rows],
            ties=ties,
        )


def bank_of(capacity: int = COHORT, max_age_steps: int | None = None) -> RiskBank:
    return RiskBank(endpoints=["os", "rfs"], capacity=capacity, max_age_steps=max_age_steps)


def patients_in(bank: RiskBank) -> set[int]:
    return set(bank.index[bank.index >= 0].tolist())


@pytest.mark.parametrize("endpoint", ["os", "rfs"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("batch", [1, 4, 7])
def test_with_everybody_at_current_weights_the_terms_are_those_of_the_whole_cohort(
    endpoint: str, ties: str, batch: int
) -> None:
    cohort, bank, everybody = Cohort(), bank_of(), torch.arange(COHORT)
    for rows in everybody.split(batch):
        cohort.write(bank, rows)
    assert len(bank) == COHORT
    time, event = cohort.times[endpoint], cohort.events[endpoint]
    total, gradient = torch.tensor(0.0), torch.zeros(2)
    for rows in torch.randperm(COHORT, generator=torch.Generator().manual_seed(1)).split(batch):
        loss = cohort.loss(bank, endpoint, rows, ties)
        counted = torch.isin(everybody, rows)
        expected = neg_partial_log_likelihood(
            cohort.scores(everybody), time, event, ties=ties, counted=counted
        )
        torch.testing.assert_close(loss, expected)
        total = total + loss.detach() * (counted & ~time.isnan() & (event == 1)).sum()
        share = (counted & ~time.isnan()).sum() / (~time.isnan()).sum()
        if share > 0:
            gradient += share * torch.autograd.grad(loss, cohort.weight)[0]
    events = (~time.isnan() & (event == 1)).sum()
    whole = neg_partial_log_likelihood(cohort.scores(everybody), time, event, ties=ties)
    torch.testing.assert_close(total / events, whole.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(whole, cohort.weight)[0])


def test_a_batch_at_another_level_than_the_bank_is_pulled_back_to_it() -> None:
    cohort, bank = Cohort(), bank_of()
    cohort.write(bank, torch.arange(10, COHORT))
    rows = torch.arange(10)
    h, time, event = (
        cohort.scores(rows).detach(),
        cohort.times["os"][rows],
        cohort.events["os"][rows],
    )
    for level, sign in ((20.0, 1), (-20.0, -1)):
        shifted = (h + level).requires_grad_()
        (gradient,) = torch.autograd.grad(bank.loss("os", rows, shifted, time, event), shifted)
        assert float(gradient.sum()) * sign > 0.1


def test_an_empty_bank_gives_the_loss_of_the_batch() -> None:
    cohort, rows = Cohort(), torch.arange(9)
    expected = neg_partial_log_likelihood(
        cohort.scores(rows), cohort.times["os"][rows], cohort.events["os"][rows]
    )
    torch.testing.assert_close(cohort.loss(bank_of(), "os", rows), expected)


def test_no_validation_patient_ever_enters_and_validation_does_not_see_the_bank() -> None:
    cohort, bank = Cohort(), bank_of()
    cohort.write(bank, torch.arange(10))
    before = {name: values.clone() for name, values in bank.state_dict().items()}
    rows = torch.arange(20, 30)
    bank.eval()
    cohort.write(bank, rows)
    loss = cohort.loss(bank, "os", rows)
    bank.train()
    for name, values in bank.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(loss, cohort.loss(bank_of(), "os", rows))


def test_the_current_batch_replaces_its_own_remembered_entries() -> None:
    cohort, bank, rows = Cohort(), bank_of(), torch.arange(12)
    cohort.write(bank, rows)
    with torch.no_grad():
        cohort.weight.copy_(torch.tensor([-2.0, 3.0]))
    torch.testing.assert_close(cohort.loss(bank, "os", rows), cohort.loss(bank_of(), "os", rows))
    cohort.write(bank, rows)
    assert len(bank) == 12
    torch.testing.assert_close(bank.scores[:12, 0].sum(), cohort.scores(rows).sum().detach())


def test_the_oldest_patients_make_room() -> None:
    cohort, bank = Cohort(), bank_of(capacity=8)
    for rows in torch.arange(12).split(4):
        cohort.write(bank, rows)
    assert patients_in(bank) == set(range(4, 12))
    cohort.write(bank, torch.tensor([4, 20]))  # 4 is renewed, so one slot more is needed
    assert len(patients_in(bank) & {5, 6, 7}) == 2
    assert patients_in(bank) >= {4, 8, 9, 10, 11, 20}


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(1, 9),
    st.lists(st.lists(st.integers(-1, 12), min_size=1, max_size=6), min_size=1, max_size=8),
)
def test_the_bank_holds_the_most_recently_seen_patients(
    capacity: int, batches: list[list[int]]
) -> None:
    bank = RiskBank(endpoints=["os"], capacity=capacity)
    seen: dict[int, tuple[int, float]] = {}  # patient -> (step, score), padding is not seen
    for step, batch in enumerate(batches):
        scores = torch.arange(len(batch)) + 10.0 * step
        ones = {"os": torch.ones(len(batch))}
        bank.write(torch.tensor(batch), {"os": scores}, ones, ones)
        for patient, score in zip(batch, scores.tolist(), strict=True):
            if patient >= 0:
                seen[patient] = (step, score)
    held = {
        int(patient): (int(step), float(score))
        for patient, step, score in zip(bank.index, bank.written_at, bank.scores, strict=True)
        if patient >= 0
    }
    assert len(held) == len(bank) <= capacity
    assert all(seen[patient] == entry for patient, entry in held.items())
    # Nobody who was left out was seen later than anybody who was kept.
    left_out = [step for patient, (step, _) in seen.items() if patient not in held]
    if left_out:
        assert len(held) == capacity
        assert max(left_out) <= min(step for step, _ in held.values())


def written_as_in_version_0_1(bank: RiskBank, index: Tensor, table: Tensor) -> None:
    """Write by ``unique`` and boolean indexing, which wait for the device."""
    patients, which = torch.unique(index, return_inverse=True)
    last = torch.zeros_like(patients).scatter_reduce(0, which, torch.arange(len(index)), "amax")
    rows = last[patients >= 0].sort().values[-bank.capacity :]
    known = torch.isin(bank.index, index[rows])
    bank.index[known], bank.written_at[known] = -1, -1
    slots = bank.written_at.argsort(stable=True)[: len(rows)]
    bank.index[slots], bank.written_at[slots] = index[rows], bank.step
    bank.scores[slots], bank.times[slots], bank.events[slots] = table[:, rows]
    bank.step += 1


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(1, 9),
    st.lists(st.lists(st.integers(-1, 12), min_size=1, max_size=14), min_size=1, max_size=8),
)
def test_every_slot_holds_what_version_0_1_wrote_there(
    capacity: int, batches: list[list[int]]
) -> None:
    bank, earlier = bank_of(capacity), bank_of(capacity)
    for batch in map(torch.tensor, batches):
        table = torch.randn(3, len(batch), 2)
        parts = [dict(zip(("os", "rfs"), part.unbind(1), strict=True)) for part in table]
        bank.write(batch, *parts)
        written_as_in_version_0_1(earlier, batch, table)
        for name, values in bank.state_dict().items():
            expected = earlier.state_dict()[name]
            torch.testing.assert_close(values, expected, rtol=0, atol=0, equal_nan=True)


def test_a_step_with_the_bank_does_not_wait_for_the_device() -> None:
    cohort, bank = Cohort(), bank_of(capacity=11, max_age_steps=3)
    with Calls() as calls:
        for rows in torch.arange(COHORT).split(8):
            cohort.loss(bank, "os", rows).backward()
            cohort.write(bank, rows)
    assert len(bank) == 11
    assert "argsort" in calls.names or "sort" in calls.names, "the operations inside are seen"
    assert not set(calls.names) & set(WAITING)


def test_entries_beyond_the_maximum_age_are_not_used() -> None:
    cohort, bank = Cohort(), bank_of(max_age_steps=2)
    old, recent, last, rows = torch.arange(20).split(5)
    for written in (old, recent, last):
        cohort.write(bank, written)
    young = bank_of()
    cohort.write(young, recent)
    cohort.write(young, last)
    assert len(bank) == 15
    torch.testing.assert_close(cohort.loss(bank, "os", rows), cohort.loss(young, "os", rows))
    with_old = bank_of()
    for written in (old, recent, last):
        cohort.write(with_old, written)
    assert cohort.loss(with_old, "os", rows) != cohort.loss(young, "os", rows)


def test_a_resumed_bank_goes_on_as_if_nothing_had_happened() -> None:
    cohort = Cohort()
    batches = torch.randperm(COHORT, generator=torch.Generator().manual_seed(2)).split(4)
    steady, stopped = bank_of(capacity=11, max_age_steps=3), bank_of(capacity=11, max_age_steps=3)
    for rows in batches[:4]:
        cohort.write(steady, rows)
        cohort.write(stopped, rows)
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    file.seek(0)
    resumed = bank_of(capacity=11, max_age_steps=3)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for rows in batches[4:]:
        assert torch.equal(cohort.loss(steady, "rfs", rows), cohort.loss(resumed, "rfs", rows))
        cohort.write(steady, rows)
        cohort.write(resumed, rows)
        assert torch.equal(steady.index, resumed.index)


def test_scores_that_are_not_finite_are_not_used() -> None:
    cohort, bank, rows = Cohort(), bank_of(), torch.arange(10, 20)
    scores = cohort.scores(torch.arange(10)).detach()
    scores[3], scores[4] = torch.nan, torch.inf
    bank.write(
        torch.arange(10),
        {"os": scores, "rfs": scores},
        {name: values[:10] for name, values in cohort.times.items()},
        {name: values[:10] for name, values in cohort.events.items()},
    )
    fine = bank_of()
    cohort.write(fine, torch.tensor([0, 1, 2, 5, 6, 7, 8, 9]))
    torch.testing.assert_close(cohort.loss(bank, "os", rows), cohort.loss(fine, "os", rows))


def test_a_batch_without_events_has_no_loss_but_learns_from_the_remembered_events() -> None:
    cohort, bank = Cohort(), bank_of()
    cohort.write(bank, torch.arange(20))
    rows = torch.arange(20, 25)
    cohort.events["os"][rows] = 0.0
    h = cohort.scores(rows).detach().requires_grad_()
    loss = bank.loss("os", rows, h, cohort.times["os"][rows], cohort.events["os"][rows])
    (gradient,) = torch.autograd.grad(loss, h)
    assert loss.item() == 0
    remembered = cohort.times["os"][:20][cohort.events["os"][:20] == 1]
    at_risk = (cohort.times["os"][rows][:, None] >= remembered).any(dim=1)
    torch.testing.assert_close(gradient > 0, at_risk)


def test_unknown_endpoints_and_wrong_sizes_are_named() -> None:
    bank, one = bank_of(), {"os": torch.ones(2)}
    with pytest.raises(ValueError, match="No endpoint 'mvi' in the risk bank"):
        bank.loss("mvi", torch.arange(2), *[torch.ones(2)] * 3)
    with pytest.raises(ValueError, match=r"given the endpoints \['os'\]"):
        bank.write(torch.arange(2), one, one, one)
    three = {"os": torch.ones(3), "rfs": torch.ones(2)}
    with pytest.raises(ValueError, match="'os' has 3 patients but 'index' has 2"):
        bank.write(torch.arange(2), three, three, three)
    with pytest.raises(ValueError, match="capacity is 0"):
        RiskBank(endpoints=["os"], capacity=0)

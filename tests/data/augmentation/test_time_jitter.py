import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.data.augmentation.time_jitter import draw_shifts, shift_times

PATIENT = st.tuples(
    st.one_of(st.none(), st.floats(0.125, 4000, width=32)),  # OS
    st.one_of(st.none(), st.floats(0, 1, width=32)),  # RFS as a share of OS
    st.floats(-3, 3, width=32),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PATIENT, min_size=1, max_size=8))
def test_order_equality_positivity_gaps_and_events_are_kept(patients):
    os_days = torch.tensor([np.nan if os is None else os for os, _, _ in patients])
    share = torch.tensor([np.nan if part is None else max(part, 0.01) for _, part, _ in patients])
    rfs_days = os_days * share
    event = torch.tensor([float(number % 2) for number in range(len(patients))])
    shifts = torch.tensor([shift for _, _, shift in patients])
    targets = {"os_days": os_days, "os_event": event, "rfs_days": rfs_days, "mvi": event}
    moved = shift_times(targets, shifts)
    for name in ("os_days", "rfs_days"):
        assert torch.equal(moved[name].isnan(), targets[name].isnan())
        known = ~moved[name].isnan()
        assert (moved[name][known] > 0).all()
        assert ((moved[name] - targets[name])[known].abs() <= 3.001).all()
    both = ~rfs_days.isnan()
    assert (moved["rfs_days"][both] <= moved["os_days"][both]).all()
    equal = rfs_days == os_days
    assert (moved["rfs_days"][equal] == moved["os_days"][equal]).all()
    assert torch.equal(moved["os_event"], event)
    assert torch.equal(moved["mvi"], event)


def test_one_shift_moves_both_times():
    targets = {"os_days": torch.tensor([100.0]), "rfs_days": torch.tensor([60.0])}
    moved = shift_times(targets, torch.tensor([-2.5]))
    assert moved == {"os_days": torch.tensor([97.5]), "rfs_days": torch.tensor([57.5])}


def test_a_short_time_is_cut_at_one_day_together_with_the_other():
    targets = {"os_days": torch.tensor([10.0]), "rfs_days": torch.tensor([2.0])}
    moved = shift_times(targets, torch.tensor([-3.0]))
    assert moved == {"os_days": torch.tensor([9.0]), "rfs_days": torch.tensor([1.0])}


def test_draws_are_uniform_within_the_days():
    shifts = draw_shifts([np.random.default_rng(seed) for seed in range(4000)], days=3)
    assert shifts.abs().max() <= 3
    assert abs(shifts.mean()) < 0.1
    assert abs(shifts.std() - 6 / 12**0.5) < 0.05


def test_targets_without_times_stay():
    targets = {"mvi": torch.tensor([1.0])}
    assert shift_times(targets, torch.tensor([1.0])) == targets

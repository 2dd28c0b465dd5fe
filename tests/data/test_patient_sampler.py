import pickle
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_tables import outcome_table

from mtl_hcc.data.endpoints import event_flags
from mtl_hcc.data.patient_sampler import OrderedBatchSampler, PatientBatchSampler
from mtl_hcc.errors import ConfigError

TABLE = outcome_table(101)
EVENTS = {name: event_flags(TABLE, name).to_numpy() for name in ("os", "rfs", "mvi")}


def sampler(**changes) -> PatientBatchSampler:
    settings_ = {"events": EVENTS, "patients": 101, "batch_size": 16, "rounds": 3, "seed": 5}
    return PatientBatchSampler(**{**settings_, **changes})


def test_each_round_holds_every_patient_once_in_batches_of_at_most_the_size():
    batches = list(sampler())
    assert len(batches) == len(sampler()) == 3 * 7
    for round_ in range(3):
        of_round = batches[round_ * 7 : (round_ + 1) * 7]
        assert sorted(draw.position for batch in of_round for draw in batch) == list(range(101))
        assert {draw.round for batch in of_round for draw in batch} == {round_}
    assert {len(batch) for batch in batches} == {14, 15}


def test_no_patient_is_twice_in_one_batch():
    for batch in sampler():
        assert len({draw.position for draw in batch}) == len(batch)


def test_batches_of_the_papers_cohort_are_full():
    whole = PatientBatchSampler(events={}, patients=192, batch_size=16, rounds=1)
    assert [len(batch) for batch in whole] == [16] * 12


@settings(max_examples=150, deadline=None)
@given(
    patients=st.integers(8, 90),
    batch_size=st.integers(4, 20),
    shares=st.tuples(*[st.floats(0.02, 0.9)] * 3),
    seed=st.integers(0, 10_000),
)
def test_every_batch_has_an_event_of_each_endpoint_that_has_enough(
    patients, batch_size, shares, seed
):
    rng = np.random.default_rng(seed)
    death = rng.random(patients) < shares[0]
    events = {
        "os": death,
        "rfs": death | (rng.random(patients) < shares[1]),
        "mvi": rng.random(patients) < shares[2],
    }
    dealt = PatientBatchSampler(
        events=events, patients=patients, batch_size=min(batch_size, patients), seed=seed
    )
    batches = dealt.global_batches(0, 0)
    for flags in events.values():
        per_batch = [int(flags[batch].sum()) for batch in batches]
        assert min(per_batch) >= 1 or flags.sum() < len(batches)


def test_events_are_dealt_evenly():
    batches = sampler().global_batches(0, 0)
    rarest = min(EVENTS.values(), key=np.sum)
    counts = [int(rarest[batch].sum()) for batch in batches]
    assert max(counts) - min(counts) <= 1


def test_epochs_and_rounds_and_seeds_differ_and_repeat_exactly():
    def positions(epoch, round_, seed=5):
        batches = sampler(seed=seed).global_batches(epoch, round_)
        return np.concatenate(batches).tolist()

    assert positions(0, 0) == positions(0, 0)
    others = [positions(1, 0), positions(0, 1), positions(0, 0, seed=6)]
    assert all(other != positions(0, 0) for other in others)


def test_set_epoch_reaches_the_draws_and_lightning_finds_it():
    one = sampler()
    one.sampler.set_epoch(4)
    assert {draw.epoch for batch in one for draw in batch} == {4}
    assert list(one) == list(pickle.loads(pickle.dumps(one)))


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_the_shares_of_the_ranks_make_up_the_batches_of_one_rank(world_size):
    ranks = [list(sampler(rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert len({len(batches) for batches in ranks}) == 1
    joined = [list(chain(*shares)) for shares in zip(*ranks, strict=True)]
    assert joined == list(sampler())
    assert all(share for batches in ranks for share in batches)


def test_a_tail_too_small_for_the_ranks_joins_the_batch_before():
    ranks = [
        list(PatientBatchSampler(events={}, patients=5, batch_size=4, rank=rank, world_size=4))
        for rank in range(4)
    ]
    assert [[len(share) for share in batches] for batches in ranks] == [[2], [1], [1], [1]]


def test_a_batch_larger_than_the_cohort_says_what_to_set():
    with pytest.raises(ConfigError, match=r"102 patients, but only 101.*data.batch_size to 101"):
        sampler(batch_size=102)


def test_a_batch_smaller_than_the_devices_says_what_to_set():
    with pytest.raises(ConfigError, match="batch of 2 patients for 4 devices"):
        sampler(batch_size=2, world_size=4)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_validation_sees_everybody_once_in_order_and_equally_often_on_each_rank(world_size):
    ranks = [
        list(OrderedBatchSampler(patients=20, batch_size=6, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    joined = [list(chain(*shares)) for shares in zip(*ranks, strict=True)]
    assert list(chain(*joined)) == list(range(20))


def test_validation_with_fewer_patients_than_ranks_leaves_no_rank_waiting():
    ranks = [
        list(OrderedBatchSampler(patients=2, batch_size=6, rank=rank, world_size=3))
        for rank in range(3)
    ]
    assert ranks == [[[0]], [[1]], [[0]]]

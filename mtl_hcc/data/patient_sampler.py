"""Batch samplers: which patients meet in one risk set, on how many ranks."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from mtl_hcc.data.draws import Draw
from mtl_hcc.errors import ConfigError


class PatientBatchSampler(Sampler[list[Draw]]):
    """Batches for training.

    Each round of an epoch is one permutation of the patients, cut into global batches of nearly
    equal size, at most ``batch_size``; so a patient is never twice in one risk set. The patients
    with an event are dealt evenly, the rarest endpoint first: every global batch holds an event
    of each endpoint that has as many events as there are batches. The global batches depend on
    seed and epoch only; each rank takes its contiguous share, at least one patient.

    Args:
        events: Endpoint to (patient,) bool, who has the event.
        batch_size: Patients in a global batch, over all ranks.
        rounds: Augmentation rounds, i.e. visits of each patient in an epoch.
        seed: Seed of the permutations, 0 or more.
        rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(
        self,
        *,
        events: Mapping[str, npt.NDArray[np.bool_]],
        patients: int,
        batch_size: int,
        rounds: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_sizes(patients, batch_size=batch_size, world_size=world_size)
        rarest_first = sorted(events, key=lambda name: int(events[name].sum()))
        # One row for each endpoint, one column for each patient.
        self.events = np.array([events[name] for name in rarest_first], dtype=bool)
        self.events = self.events.reshape(len(rarest_first), patients)
        self.patients, self.batch_size, self.rounds = patients, batch_size, rounds
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch = 0
        self.sizes = _batch_sizes(patients, batch_size=batch_size, world_size=world_size)

    @property
    def sampler(self) -> "PatientBatchSampler":
        """Itself: Lightning calls ``set_epoch`` on ``batch_sampler.sampler``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch, the same on every rank."""
        return self.rounds * len(self.sizes)

    def __iter__(self) -> Iterator[list[Draw]]:
        """Yield this rank's share of every global batch of the epoch."""
        epoch = self.epoch
        for round_ in range(self.rounds):
            for batch in self.global_batches(epoch, round_):
                share = np.array_split(batch, self.world_size)[self.rank]
                yield [Draw(int(position), epoch, round_) for position in share]

    def global_batches(self, epoch: int, round_: int) -> list[npt.NDArray[np.int64]]:
        """Return the positions in each global batch of one round.

        Args:
            epoch: Epoch, from 0.
            round_: Round within the epoch, from 0.
        """
        generator = np.random.default_rng([self.seed, epoch, round_])
        order = generator.permutation(self.patients)
        room = generator.permutation(self.sizes)
        dealt: list[list[int]] = [[] for _ in room]
        counts = np.zeros((len(self.events), len(room)), dtype=np.int64)
        waiting = np.ones(self.patients, dtype=bool)
        for endpoint, flags in enumerate(self.events):
            for patient in order[flags[order] & waiting[order]]:
                # Fewest events of this endpoint first, then most room left.
                batch = np.lexsort((-room, counts[endpoint], room == 0))[0]
                dealt[batch].append(int(patient))
                counts[:, batch] += self.events[:, patient]
                room[batch] -= 1
                waiting[patient] = False
        rest = np.split(order[waiting[order]], np.cumsum(room)[:-1])
        return [
            generator.permutation(np.concatenate([np.array(first, dtype=np.int64), others]))
            for first, others in zip(dealt, rest, strict=True)
        ]


class OrderedBatchSampler(Sampler[list[int]]):
    """Batches for validation: all patients in order, as many batches on every rank.

    With fewer patients than ranks some ranks repeat a patient, since collective calls wait for
    everybody; whoever gathers drops the repeated ``index``.

    Args:
        patients: Number of patients.
        batch_size: Patients in a global batch, over all ranks.
        rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(
        self, *, patients: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> None:
        order = np.resize(np.arange(patients), max(patients, world_size))
        sizes = _batch_sizes(len(order), batch_size=batch_size, world_size=world_size)
        batches = np.split(order, np.cumsum(sizes)[:-1])
        self.batches = [np.array_split(batch, world_size)[rank].tolist() for batch in batches]

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this rank's share of each batch."""
        return iter(self.batches)


def _batch_sizes(patients: int, *, batch_size: int, world_size: int) -> npt.NDArray[np.int64]:
    """Return sizes that differ by one at most, none below the number of ranks."""
    number = max(1, min(-(-patients // batch_size), patients // world_size))
    return np.array([len(part) for part in np.array_split(np.arange(patients), number)])


def _check_sizes(patients: int, *, batch_size: int, world_size: int) -> None:
    """Raise :class:`ConfigError` when the batch fits neither the cohort nor the ranks."""
    if batch_size > patients:
        raise ConfigError(
            f"batch of {batch_size} patients, but only {patients} patients in split train",
            where="data.batch_size",
            remedy=f"Set data.batch_size to {patients} or less.",
        )
    if batch_size < world_size:
        raise ConfigError(
            f"batch of {batch_size} patients for {world_size} devices",
            where="data.batch_size",
            expected="at least one patient for each device (the batch is shared among them)",
            remedy=f"Set data.batch_size to {world_size} or more.",
        )

"""Random draws of one patient: the same whatever the batch, the rank, or a resume in between."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mtl_hcc.batch import PatientBatch


class Purpose(IntEnum):
    """What a draw is for: each purpose has its own stream of random numbers."""

    ROTATION = 1
    TIME_JITTER = 2
    PHASE_DROPOUT = 3
    IN_PLANE_ROTATION = 4
    FLIP = 5
    SCALE = 6
    INTENSITY_SCALE = 7
    NOISE = 8
    BIAS_FIELD = 9
    RIGHT_ANGLE_ROTATION = 10


_PURPOSES = 256
"""More than there are: the streams of a second transform of a class begin here."""


class Draw(NamedTuple):
    """One visit of a patient in training.

    Attributes:
        position: Position of the patient in the dataset.
        epoch: Epoch, from 0.
        round: Augmentation round within the epoch, from 0.
    """

    position: int
    epoch: int
    round: int


@dataclass
class TrainingBatch(PatientBatch):
    """A batch that is still to be augmented.

    Attributes:
        draw: (patient, 2) int64 epoch and round of each patient; stays on the CPU, where the
            random numbers are drawn.
        index_on_cpu: (patient,) ``index``, where the batch was moved to a device.
    """

    draw: Tensor
    index_on_cpu: Tensor | None = None

    def plain(self) -> PatientBatch:
        """Return the batch without the draws."""
        parts = vars(self).copy()
        del parts["draw"], parts["index_on_cpu"]
        return PatientBatch(**parts)

    def map(self, change: Callable[[Tensor], Tensor]) -> "TrainingBatch":
        """Return the same batch with every tensor but the draws changed."""
        known = self.index if self.index_on_cpu is None else self.index_on_cpu
        changed = vars(self.plain().map(change))
        return TrainingBatch(**changed, draw=self.draw, index_on_cpu=known)


def patient_generator(
    purpose: Purpose, *, seed: int, epoch: int, round_: int, index: int, twin: int = 0
) -> np.random.Generator:
    """Return the random numbers of one patient in one round of one epoch.

    Philox is counter-based (Salmon et al., 2011, doi:10.1145/2063384.2063405): any state is
    reached at once, so nothing has to be stored in a checkpoint.

    Args:
        purpose: What the numbers are for.
        seed: Seed of the run, 0 or more.
        epoch: Epoch, from 0.
        round_: Augmentation round, from 0.
        index: Row of the patient in the store's table.
        twin: How many of the same purpose came before.
    """
    # The first word of the counter advances with each number, the others name the visit.
    key = np.array([seed, purpose + _PURPOSES * twin], dtype=np.uint64)
    counter = np.array([0, index, round_, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def batch_generators(
    batch: TrainingBatch, purpose: Purpose, *, seed: int, twin: int = 0
) -> list[np.random.Generator]:
    """Return one generator for each patient of the batch, in its order.

    Args:
        batch: A training batch, with its table rows and draws.
        purpose: What the numbers are for.
        seed: Seed of the run.
        twin: How many of the same purpose came before.
    """
    rows = batch.index if batch.index_on_cpu is None else batch.index_on_cpu
    return [
        patient_generator(purpose, seed=seed, epoch=epoch, round_=round_, index=index, twin=twin)
        for index, (epoch, round_) in zip(rows.tolist(), batch.draw.tolist(), strict=True)
    ]

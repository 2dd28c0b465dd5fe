"""What happens to a training batch on the device: rotation, time jitter, phase dropout."""

from dataclasses import dataclass

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.draws import Purpose, TrainingBatch, batch_generators
from mtl_hcc.data.phase_dropout import draw_dropped_phases, drop_phases
from mtl_hcc.data.rotation import draw_rotations, rotate
from mtl_hcc.data.time_jitter import draw_shifts, shift_times


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Settings of the augmentation; each part can be turned off.

    Args:
        rotate: Rotate uniformly over SO(3).
        time_jitter_days: Times shift by up to this many days; 0 for none.
        phase_dropout: Chance that a patient loses one phase.
        seed: Seed of the draws.
    """

    rotate: bool
    time_jitter_days: float
    phase_dropout: float
    seed: int

    def __call__(self, batch: TrainingBatch) -> PatientBatch:
        """Return the augmented batch; images are float32 already.

        Args:
            batch: The batch, on the training device.
        """
        result = batch.plain()
        if result.images is not None and result.regions is not None and self.rotate:
            generators = batch_generators(batch, Purpose.ROTATION, seed=self.seed)
            matrices = draw_rotations(generators)
            result.images, result.regions = rotate(result.images, result.regions, matrices)
        if self.time_jitter_days > 0:
            generators = batch_generators(batch, Purpose.TIME_JITTER, seed=self.seed)
            shifts = draw_shifts(generators, days=self.time_jitter_days)
            result.targets = shift_times(result.targets, shifts)
        if (
            result.images is not None
            and result.phase_present is not None
            and self.phase_dropout > 0
        ):
            generators = batch_generators(batch, Purpose.PHASE_DROPOUT, seed=self.seed)
            dropped = draw_dropped_phases(
                generators, result.phase_present, probability=self.phase_dropout
            )
            result.images, result.phase_present = drop_phases(
                result.images, result.phase_present, dropped
            )
        return result

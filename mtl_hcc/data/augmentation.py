"""What happens to a training batch on the device: rotation, time jitter, phase dropout."""

from dataclasses import dataclass, replace

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.draws import Purpose, TrainingBatch, batch_generators
from mtl_hcc.data.phase_dropout import draw_dropped_phases, drop_phases
from mtl_hcc.data.rotation import draw_rotations, rotate
from mtl_hcc.data.time_jitter import draw_shifts, shift_times
from mtl_hcc.errors import ConfigError


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

    def __post_init__(self) -> None:
        """Check the numbers."""
        limits = {
            "time_jitter_days": (self.time_jitter_days, 30),
            "phase_dropout": (self.phase_dropout, 1),
        }
        for name, (value, highest) in limits.items():
            if not 0 <= value <= highest:
                raise ConfigError(
                    f"{name} is {value:g}",
                    where=f"data.{name}",
                    expected=f"0 to {highest}",
                    remedy=f"Correct data.{name}.",
                )

    def __call__(self, batch: TrainingBatch) -> PatientBatch:
        """Return the augmented batch; images are float32 already.

        Args:
            batch: The batch, on the training device.
        """
        result = batch.plain()
        result.views = {name: replace(view) for name, view in result.views.items()}
        if self.time_jitter_days > 0:
            generators = batch_generators(batch, Purpose.TIME_JITTER, seed=self.seed)
            shifts = draw_shifts(generators, days=self.time_jitter_days)
            result.targets = shift_times(result.targets, shifts)
        if self.rotate:
            generators = batch_generators(batch, Purpose.ROTATION, seed=self.seed)
            matrices = draw_rotations(generators)  # one for all views: they stay aligned
            for view in result.views.values():
                view.images, view.regions = rotate(view.images, view.regions, matrices)
        if self.phase_dropout > 0:
            for view in result.views.values():
                generators = batch_generators(batch, Purpose.PHASE_DROPOUT, seed=self.seed)
                dropped = draw_dropped_phases(
                    generators, view.phase_present, probability=self.phase_dropout
                )
                view.images, view.regions, view.phase_present = drop_phases(
                    view.images, view.regions, view.phase_present, dropped
                )
        return result

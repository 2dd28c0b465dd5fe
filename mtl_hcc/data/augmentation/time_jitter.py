r"""TimeJitter: a death is not known to the day.

:math:`t \to t + d` with one :math:`d`, uniform in :math:`[-D, D]`, for all times of a patient, so
that no order between them changes.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, to_device
from mtl_hcc.data.augmentation.transform import Generators, Transform
from mtl_hcc.data.draws import Purpose
from mtl_hcc.imaging.view import View


class TimeJitter(Transform):
    """Shift the times of a patient together.

    Args:
        days: :math:`D`, most days; 0 for none.
        probability: Chance that a patient is changed.

    Example:
        >>> shift_times({"os_days": torch.tensor([100.0])}, torch.tensor([-2.0]))
        {'os_days': tensor([98.])}
    """

    purpose = Purpose.TIME_JITTER

    def __init__(self, *, days: float = 3.0, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("days", days, 0, 30)
        self.days = days

    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the batch with other times."""
        shifts = draw_shifts(generators, days=self.days)
        shifts = shifts * self.chosen(generators)
        return replace(batch, targets=shift_times(batch.targets, shifts))


def draw_shifts(generators: Generators, *, days: float) -> Tensor:
    """Draw one shift from each generator, uniform in [-days, days].

    Returns:
        (patient,) float32, in days.
    """
    shifts = [generator.uniform(-days, days) for generator in generators]
    return torch.tensor(shifts, dtype=torch.float32)


def shift_times(targets: Mapping[str, Tensor], shifts: Tensor) -> dict[str, Tensor]:
    """Shift all times (columns ``*_days``) of each patient by the patient's shift.

    One shift for overall and recurrence-free survival keeps RFS <= OS, and RFS = OS where death
    is the event of both. A shift is cut so that no time falls below one day (or below its own
    value, where that is shorter). Events and missing labels stay as they are.

    Args:
        targets: Column name to (patient,) float32; times in days, NaN where missing.
        shifts: (patient,) days.
    """
    names = [name for name in targets if name.endswith("_days")]
    if not names:
        return dict(targets)
    times = torch.stack([targets[name] for name in names])  # (time, patient)
    shortest = times.nan_to_num(nan=torch.inf).amin(dim=0)
    floor = shortest.clamp(max=1.0)
    shifts = to_device(shifts.to(times.dtype), times.device, non_blocking=True)
    shifts = torch.maximum(shifts, floor - shortest)
    shifted = dict(zip(names, times + shifts, strict=True))
    return {name: shifted.get(name, value) for name, value in targets.items()}

"""Time jitter: the days of one patient shift together, so that no order between them changes."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def draw_shifts(generators: Sequence[np.random.Generator], *, days: float) -> Tensor:
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
    shifts = torch.maximum(shifts.to(times), floor - shortest)
    shifted = dict(zip(names, times + shifts, strict=True))
    return {name: shifted.get(name, value) for name, value in targets.items()}

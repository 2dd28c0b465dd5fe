"""Learning-rate schedules, as a factor of the peak learning rate."""

import math
from collections.abc import Callable
from typing import Literal


def schedule_factor(
    schedule: Literal["cosine", "constant"], *, steps: float, warmup_steps: int = 0
) -> Callable[[int], float]:
    """Return step -> factor: linear warm-up, then constant or half a cosine down to zero.

    Args:
        schedule: ``cosine`` or ``constant``.
        steps: Optimizer steps of the whole training; infinity only for ``constant``.
        warmup_steps: Steps of the warm-up.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        if schedule == "constant":
            return 1.0
        progress = (step - warmup_steps) / max(steps - warmup_steps, 1)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    return factor

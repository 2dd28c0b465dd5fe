"""Phase dropout: hide a phase in training, so that the network can do without it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def draw_dropped_phases(
    generators: Sequence[np.random.Generator], phase_present: Tensor, *, probability: float
) -> Tensor:
    """Draw at most one phase to drop for each patient, never the last one.

    Args:
        generators: One for each patient.
        phase_present: (patient, phase) bool.
        probability: Chance that a patient with two or more phases loses one.

    Returns:
        (patient, phase) bool on the CPU, True where the phase is dropped.
    """
    dropped = torch.zeros(phase_present.shape, dtype=torch.bool)
    for patient, generator in enumerate(generators):
        present = phase_present[patient].nonzero()[:, 0].tolist()
        if generator.random() < probability and len(present) > 1:
            dropped[patient, generator.choice(present)] = True
    return dropped


def drop_phases(
    images: Tensor, regions: Tensor, phase_present: Tensor, dropped: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return images and regions with the dropped phases zeroed, and which phases are left.

    So a dropped phase looks like one that the store lacks.

    Args:
        images: (patient, phase, depth, height, width).
        regions: Same shape.
        phase_present: (patient, phase) bool.
        dropped: (patient, phase) bool.
    """
    dropped = dropped.to(images.device)
    hidden = dropped[:, :, None, None, None]
    images, regions = images.masked_fill(hidden, 0), regions.masked_fill(hidden, 0)
    return images, regions, phase_present & ~dropped

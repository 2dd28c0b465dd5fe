r"""PhaseDropout: a phase is hidden, so that the network can do without it.

With probability :math:`p` one of a patient's phases, each equally likely, is set to zero and marked
as absent in all views that show it: as if the store lacked it. A view never loses its last phase.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch, to_device
from mtl_hcc.data.augmentation.transform import Generators, Transform
from mtl_hcc.data.draws import Purpose
from mtl_hcc.imaging.view import View


class PhaseDropout(Transform):
    """Drop one phase of a patient.

    Args:
        probability: Chance that a patient loses a phase.

    Example:
        >>> PhaseDropout(probability=0.2).probability
        0.2
    """

    purpose = Purpose.PHASE_DROPOUT

    def __init__(self, *, probability: float = 0.1) -> None:
        super().__init__(probability=probability)

    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the batch with phases less."""
        names = list(dict.fromkeys(phase for name in batch.views for phase in views[name].phases))
        columns = {
            name: [names.index(phase) for phase in views[name].phases] for name in batch.views
        }
        present = {name: seen.on_cpu("phase_present") for name, seen in batch.views.items()}
        dropped = torch.zeros(len(batch), len(names), dtype=torch.bool)
        for patient, generator in enumerate(generators):
            shown = {
                name: {
                    column
                    for column, is_there in zip(columns[name], flags, strict=True)
                    if is_there
                }
                for name, flags in (
                    (name, there[patient].tolist()) for name, there in present.items()
                )
            }
            last = {column for phases in shown.values() if len(phases) == 1 for column in phases}
            may_go = sorted(set().union(*shown.values()) - last)
            if generator.random() < self.probability and may_go:
                dropped[patient, generator.choice(may_go)] = True
        return replace(
            batch,
            views={
                name: drop_phases(seen, dropped[:, columns[name]])
                for name, seen in batch.views.items()
            },
        )


def drop_phases(seen: ViewBatch, dropped: Tensor) -> ViewBatch:
    """Return a view without some phases: zero, and absent.

    Args:
        seen: Some patients in one view.
        dropped: (patient, phase) bool, on the CPU.
    """
    hidden = to_device(dropped, seen.images.device, non_blocking=True)[:, :, None, None, None]
    shown = replace(
        seen,
        images=seen.images.masked_fill(hidden, 0),
        regions=seen.regions.masked_fill(hidden, 0),
    )
    return shown.knowing(phase_present=seen.on_cpu("phase_present") & ~dropped)

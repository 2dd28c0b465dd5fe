"""PatientBatch: names, shapes and units of everything that flows from the data to the losses."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class PatientBatch:
    """Some patients, ready for the network. Every tensor's first axis is the patient.

    Attributes:
        patient_id: Names, in the order of the tensors.
        center: Center of each patient.
        split: Split of each patient (``train``, ``validation``, ``external``, ...).
        index: (patient,) int64. Row of each patient in the store's table: the key of the risk bank.
        images: (patient, phase, depth, height, width) float in [0, 1], zero outside the kept
            regions and in missing phases; ``None`` when only the clinical table is used.
        regions: Same shape, uint8 bits of ``patient.Region``.
        phase_present: (patient, phase) bool.
        covariates: (patient, covariate) float32, raw values, NaN where missing; ``None`` without
            clinical covariates.
        targets: Column name (``os_days``, ``os_event``, ``mvi``, ...) to (patient,) float32,
            NaN where the label is missing. Times in days.
    """

    patient_id: list[str]
    center: list[str]
    split: list[str]
    index: Tensor
    images: Tensor | None
    regions: Tensor | None
    phase_present: Tensor | None
    covariates: Tensor | None
    targets: dict[str, Tensor]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patient_id)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "PatientBatch":
        """Return the same batch with its tensors on ``device`` (the hook Lightning calls)."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in moved.items():
            if isinstance(value, Tensor):
                moved[name] = value.to(device, non_blocking=non_blocking)
        moved["targets"] = {
            name: value.to(device, non_blocking=non_blocking)
            for name, value in self.targets.items()
        }
        return PatientBatch(**moved)

    def pin_memory(self) -> "PatientBatch":
        """Return the batch in page-locked memory (the hook ``DataLoader`` calls)."""
        pinned = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in pinned.items():
            if isinstance(value, Tensor):
                pinned[name] = value.pin_memory()
        pinned["targets"] = {name: value.pin_memory() for name, value in self.targets.items()}
        return PatientBatch(**pinned)

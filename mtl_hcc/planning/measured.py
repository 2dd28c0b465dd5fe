"""What was found, and what was chosen because of it: plain values between measuring and rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen(Generic[Value]):
    """A setting with its reason.

    Attributes:
        value: As it stands in the config.
        why: The measured number and the rule, as one or more sentences.
    """

    value: Value
    why: str


@dataclass(frozen=True)
class Machine:
    """What the computer has.

    Attributes:
        cores: Processor cores that this process may use.
        free_bytes: Memory that can be taken; None where the system does not tell.
        gpu: Name of the first GPU; empty without one.
        gpu_bytes: Its memory.
        gpu_bf16: Whether it computes in bfloat16.
    """

    cores: int
    free_bytes: int | None = None
    gpu: str = ""
    gpu_bytes: int = 0
    gpu_bf16: bool = False

    def described(self) -> str:
        """Return cores, memory and GPU in words."""
        free = "memory unknown" if self.free_bytes is None else f"{self.free_bytes / 1e9:.0f} GB"
        gpu = f"{self.gpu}, {self.gpu_bytes / 1e9:.0f} GB" if self.gpu else "no GPU"
        return f"{self.cores} cores, {free} free, {gpu}"


@dataclass(frozen=True)
class Counted:
    """Labels of one endpoint among some patients.

    Attributes:
        patients: All of them.
        labelled: Those with a label.
        events: Deaths or recurrences; of classes, patients of the rarest class, since an AUC needs
            both kinds.
    """

    patients: int
    labelled: int
    events: int

    def described(self) -> str:
        """Return events and missing labels in words."""
        missing = self.patients - self.labelled
        return f"{self.events} events" + (f", {missing} without a label" if missing else "")


@dataclass(frozen=True)
class CountedTable:
    """Counts of the clinical table; nothing else is looked at outside of the training patients.

    Attributes:
        patients: Number of patients.
        endpoints: Endpoint to its counts among all patients.
        centers: Center to the counts of its endpoints.
        by_split: Split named in the table's column ``split`` to its counts; empty without it.
    """

    patients: int
    endpoints: Mapping[str, Counted]
    centers: Mapping[str, Mapping[str, Counted]] = field(default_factory=dict)
    by_split: Mapping[str, Mapping[str, Counted]] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredImages:
    """Images and drawings of training patients.

    Attributes:
        is_ct: Whether intensities are HU.
        spacing: Phase to (patient, 2): in plane and slice distance in mm.
        tumor_mm: (patient, xyz) Box around all lesions.
        largest_mm: (patient, xyz) Box around the largest lesion.
        diameter_mm: (patient,) Largest axial diameter.
        lesions: (patient,) Number of lesions.
        apart_mm: (patient,) Largest distance between the centers of two lesions; 0 with one.
        liver_mm: (patient, xyz) Box around the liver with its tumor; NaN where no liver is drawn.
        foreground: (2,) 0.5th and 99.5th percentile inside liver and tumor; each image counts the
            same.
        tumor: Likewise inside the tumor alone.
        refused: Patient who could not be read to the reason.
    """

    is_ct: bool
    spacing: Mapping[str, Floats]
    tumor_mm: Floats
    largest_mm: Floats
    diameter_mm: Floats
    lesions: Floats
    apart_mm: Floats
    liver_mm: Floats
    foreground: tuple[float, float]
    tumor: tuple[float, float]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def patients(self) -> int:
        """How many were measured."""
        return len(self.tumor_mm)

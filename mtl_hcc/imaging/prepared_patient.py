"""What preparation makes of one patient: arrays on the common grid."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid


@dataclass(frozen=True)
class PreparedPatient:
    """One patient on the common grid, ready to be cropped, turned and stacked.

    Attributes:
        patient_id: Name of the patient.
        phases: Names along the first axis.
        images: (phase, depth, height, width) float16 in [0, 1]; zero outside the kept regions
            (unless the recipe keeps the background) and in missing phases.
        regions: Same shape, uint8 bits of :class:`mtl_hcc.patient.Region`.
        phase_present: (phase,) bool.
        geometry: Grid that all phases share: origin, spacing and direction in mm, LPS.
        quality: Measurements and remarks, see :mod:`mtl_hcc.imaging.quality`.
    """

    patient_id: str
    phases: tuple[str, ...]
    images: NDArray[np.float16]
    regions: NDArray[np.uint8]
    phase_present: NDArray[np.bool_]
    geometry: Grid
    quality: dict[str, float | str] = field(default_factory=dict)

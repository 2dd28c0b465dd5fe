"""What preparation makes of one patient: arrays on the grid of each view."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.imaging.grid import Grid


@dataclass(frozen=True)
class PreparedView:
    """One patient on the grid of one view, ready to be turned, cropped and stacked.

    Attributes:
        phases: Names along the first axis.
        images: (phase, depth, height, width) float16 in [0, 1]; zero outside the kept regions
            (unless the view keeps everything) and in missing phases.
        regions: Same shape, uint8 bits, see :func:`mtl_hcc.regions.region_bits`.
        phase_present: (phase,) bool.
        geometry: Grid that all phases share: origin, spacing and direction in mm, LPS.
    """

    phases: tuple[str, ...]
    images: NDArray[np.float16]
    regions: NDArray[np.uint8]
    phase_present: NDArray[np.bool_]
    geometry: Grid


@dataclass(frozen=True)
class PreparedPatient:
    """What is prepared of one patient.

    Attributes:
        patient_id: Name of the patient.
        views: Name of a view to its arrays.
        quality: Measurements and remarks, see :mod:`mtl_hcc.imaging.quality`.
    """

    patient_id: str
    views: dict[str, PreparedView]
    quality: dict[str, float | str] = field(default_factory=dict)

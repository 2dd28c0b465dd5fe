"""The recipe of preparation: which phases, which grid, which intensities."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mtl_hcc.errors import ConfigError
from mtl_hcc.patient import CT_PHASES, MRI_PHASES

RECIPE_VERSION = 3
"""Raised whenever the code prepares differently from the same recipe, so that stores go stale."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How every patient is prepared. The defaults are the paper's.

    Args:
        phases: Phases to prepare, in the order of the prepared array's first axis.
        spacing_mm: Isotropic voxel size of the prepared grid.
        field_of_view_mm: Edge of the cube that is kept.
        center_on: What the cube is centered on.
        margin_mm: The margin zone reaches this far to both sides of the tumor surface.
        clip_percentiles: Intensities are clipped at these percentiles of the phase inside liver
            and tumor, then scaled to [0, 1].
        background: ``remove`` sets voxels outside liver, tumor, margin and LOAT to zero.
        missing_phase: ``quarantine`` leaves a patient without one of the phases out; ``keep``
            prepares the others and marks the phase as absent.
        registration: ``rigid`` moves every phase, with its own label map if it has one, so that its
            liver lies on that of the portal venous phase or of the phase that the map was drawn
            on; ``none`` trusts the patient space of the scanner.
        min_tumor_mm3: A tumor smaller than this is refused as a slip of the pen.
        modality: ``ct`` has HU, ``mri`` has no unit, so fewer things can be checked. Left out, it
            is ``mri`` where one of the phases exists on MRI only, else ``ct``.
        plausibility: ``quarantine`` leaves out patients whose images or drawings cannot be right,
            e.g. a mirrored label map; ``remark`` prepares them, and says so in ``quality.csv``.
    """

    phases: list[str] = field(default_factory=lambda: list(CT_PHASES))
    spacing_mm: float = 1.0
    field_of_view_mm: float = 128.0
    center_on: Literal["tumor", "liver"] = "tumor"
    margin_mm: float = 2.0
    clip_percentiles: tuple[float, float] = (2.5, 97.5)
    background: Literal["remove", "keep"] = "remove"
    missing_phase: Literal["quarantine", "keep"] = "quarantine"
    registration: Literal["none", "rigid"] = "none"
    min_tumor_mm3: float = 30.0
    modality: Literal["ct", "mri"] | None = None
    plausibility: Literal["quarantine", "remark"] = "quarantine"

    def __post_init__(self) -> None:
        """Check the values; lists and tuples from YAML are brought to one type."""
        object.__setattr__(self, "phases", list(self.phases))
        object.__setattr__(self, "clip_percentiles", tuple(self.clip_percentiles))
        self._check_phases()
        _check(0.1 <= self.spacing_mm <= 20, "spacing_mm", self.spacing_mm, "0.1 to 20 mm")
        _check(
            self.spacing_mm <= self.field_of_view_mm <= 1000,
            "field_of_view_mm",
            self.field_of_view_mm,
            "at least one voxel and at most 1000 mm",
        )
        voxels = round(self.field_of_view_mm / self.spacing_mm)
        _check(
            voxels <= 1024,
            "field_of_view_mm / spacing_mm",
            voxels,
            "at most 1024 voxels along an edge",
        )
        _check(0 <= self.margin_mm <= 50, "margin_mm", self.margin_mm, "0 to 50 mm")
        _check(self.min_tumor_mm3 >= 0, "min_tumor_mm3", self.min_tumor_mm3, "0 or more mm3")
        _check(
            len(self.clip_percentiles) == 2
            and 0 <= self.clip_percentiles[0] < self.clip_percentiles[1] <= 100,
            "clip_percentiles",
            self.clip_percentiles,
            "two rising numbers from 0 to 100, such as [2.5, 97.5]",
        )
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            _check(value in choices, name, value, " or ".join(map(str, choices)))

    def _check_phases(self) -> None:
        known = sorted({*CT_PHASES, *MRI_PHASES})
        _check(bool(self.phases), "phases", self.phases, "at least one phase")
        for phase in self.phases:
            _check(phase in known, "phases", phase, "one of " + ", ".join(known))
        _check(len(set(self.phases)) == len(self.phases), "phases", self.phases, "each phase once")

    @property
    def is_ct(self) -> bool:
        """Whether the images are CT, in HU."""
        if self.modality is not None:
            return self.modality == "ct"
        return set(self.phases) <= set(CT_PHASES)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain lists, numbers and text, as YAML and JSON hold it."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    def fingerprint(self) -> str:
        """Return a hash of the recipe: another hash means another prepared image."""
        text = json.dumps({"version": RECIPE_VERSION, **self.as_dict()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_CHOICES: dict[str, tuple[str | None, ...]] = {
    "center_on": ("tumor", "liver"),
    "background": ("remove", "keep"),
    "missing_phase": ("quarantine", "keep"),
    "registration": ("none", "rigid"),
    "modality": ("ct", "mri", None),
    "plausibility": ("quarantine", "remark"),
}


def _check(right: bool, name: str, value: object, expected: str) -> None:
    if not right:
        raise ConfigError(
            f"{name} is {value!r}",
            where="preparation",
            expected=expected,
            remedy=f"Set {name} in the config.",
        )

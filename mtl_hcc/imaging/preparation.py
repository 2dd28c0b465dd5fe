"""The recipe of preparation: which views, which zones, who is left out."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mtl_hcc.imaging.view import View, Zone, check
from mtl_hcc.patient import CT_PHASES
from mtl_hcc.regions import region_bits

RECIPE_VERSION = 3
"""Raised whenever the code prepares differently from the same recipe, so that stores go stale."""


def _paper_zones() -> dict[str, Zone]:
    return {"margin": Zone(inward_mm=2.0, outward_mm=2.0)}


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How every patient is prepared. The defaults are the CT multi-task paper's.

    Args:
        views: Name of a view to what an encoder looks at.
        zones: Name of a region that is derived from the tumor by distance, to its reach.
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

    views: dict[str, View] = field(default_factory=lambda: {"tumor": View()})
    zones: dict[str, Zone] = field(default_factory=_paper_zones)
    missing_phase: Literal["quarantine", "keep"] = "quarantine"
    registration: Literal["none", "rigid"] = "none"
    min_tumor_mm3: float = 30.0
    modality: Literal["ct", "mri"] | None = None
    plausibility: Literal["quarantine", "remark"] = "quarantine"

    def __post_init__(self) -> None:
        """Check the values."""
        check(bool(self.views), "views", self.views, "at least one view")
        for name in self.views:
            right = name.isidentifier() and name == name.lower()
            check(right, "views", name, "names of small letters, digits and _")
        for name, zone in self.zones.items():
            for reach in (zone.inward_mm, zone.outward_mm):
                check(0 <= reach <= 50, f"zones.{name}", reach, "0 to 50 mm")
        try:
            bits = self.region_bits
        except ValueError as error:
            check(False, "zones", list(self.zones), str(error))
        for name, view in self.views.items():
            kept = view.keep if isinstance(view.keep, list) else []
            for region in kept:
                check(region in bits, f"views.{name}.keep", region, "some of " + ", ".join(bits))
        check(self.min_tumor_mm3 >= 0, "min_tumor_mm3", self.min_tumor_mm3, "0 or more mm3")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            check(value in choices, name, value, " or ".join(map(str, choices)))

    @property
    def phases(self) -> list[str]:
        """All phases that some view looks at, in the order in which they are first named."""
        return list(dict.fromkeys(phase for view in self.views.values() for phase in view.phases))

    @property
    def region_bits(self) -> dict[str, int]:
        """Region to its bit in the prepared maps."""
        return region_bits(self.zones)

    @property
    def is_ct(self) -> bool:
        """Whether the images are CT, in HU."""
        if self.modality is not None:
            return self.modality == "ct"
        return set(self.phases) <= set(CT_PHASES)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain lists, numbers and text, as YAML and JSON hold it."""
        return {
            **vars(self),
            "views": {name: view.as_dict() for name, view in self.views.items()},
            "zones": {name: asdict(zone) for name, zone in self.zones.items()},
        }

    def fingerprint(self) -> str:
        """Return a hash of the recipe: another hash means another prepared image."""
        text = json.dumps({"version": RECIPE_VERSION, **self.as_dict()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_CHOICES: dict[str, tuple[str | None, ...]] = {
    "missing_phase": ("quarantine", "keep"),
    "registration": ("none", "rigid"),
    "modality": ("ct", "mri", None),
    "plausibility": ("quarantine", "remark"),
}

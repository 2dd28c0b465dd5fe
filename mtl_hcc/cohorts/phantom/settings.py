"""What a user may choose about the phantom cohort."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Literal

from mtl_hcc.cohorts.phantom.case_mix import Cases

PHANTOM_VERSION = 4
"""Raised whenever the same settings would give other images or other outcomes: what a model reaches
on one version is never compared with what it reaches on another."""
SMALL_COHORT = {"I": 96, "II": 12, "III": 12, "IV": 12, "V": 12, "VI": 60}
PAPER_COHORT = {"I": 192, "II": 29, "III": 29, "IV": 29, "V": 29, "VI": 80}
"""192 patients to train, 116 to validate, 80 of an external center."""
SPLIT_OF_CENTER = {
    "I": "train",
    "II": "validation",
    "III": "validation",
    "IV": "validation",
    "V": "validation",
    "VI": "external",
}


@dataclass(frozen=True, kw_only=True)
class PhantomSettings:
    """How many phantom patients to make, and how.

    Attributes:
        patients: Center (``I`` to ``VI``) to its number of patients. Center I trains, II to V
            validate, VI is external and has a scanner of its own.
        paper_size: Take the numbers of the published cohort (192 / 4 x 29 / 80) instead of
            ``patients``.
        seed: Two cohorts with the same seed share the patients that both hold, whatever the
            numbers of patients and of workers.
        regions: ``per_phase`` writes one label map per phase, each drawn anew;
            ``one_map`` writes one map, drawn on the portal venous phase, for all phases.
        mask_dice: Mean Dice overlap of a drawn tumor with the true one; 1 draws without error.
        contrast: Factor on everything that the latents do to the HU values. 0 leaves only
            what the shapes tell.
        cases: ``varied``: satellites, infiltrating and very large tumors, and another case mix,
            prognosis, follow-up and dose in center VI; ``plain``: none of these (images and
            outcomes are those of version 3).
        version: Version of the phantom, so that a saved config says of which patients it speaks.
    """

    patients: dict[str, int] = field(default_factory=lambda: dict(SMALL_COHORT))
    paper_size: bool = False
    seed: int = 0
    regions: Literal["per_phase", "one_map"] = "per_phase"
    mask_dice: float = 0.93
    contrast: float = 1.0
    cases: Cases = "varied"
    version: int = PHANTOM_VERSION

    def __post_init__(self) -> None:
        """Refuse centers without a scanner and impossible numbers."""
        unknown = sorted(set(self.patients) - set(SPLIT_OF_CENTER))
        if unknown:
            raise ValueError(
                f"PhantomSettings.patients names centers {unknown}; known are {[*SPLIT_OF_CENTER]}."
            )
        if any(count < 0 for count in self.patients.values()):
            raise ValueError(f"PhantomSettings.patients holds a negative number: {self.patients}.")
        if not 0.8 <= self.mask_dice <= 1.0:
            raise ValueError(f"PhantomSettings.mask_dice is {self.mask_dice}, not in [0.8, 1].")
        if self.version != PHANTOM_VERSION:
            raise ValueError(
                f"PhantomSettings.version is {self.version}, but this package makes version "
                f"{PHANTOM_VERSION}: other patients, on which results are not comparable. Leave "
                "version out, and train all that you compare anew."
            )

    @property
    def patients_of_center(self) -> dict[str, int]:
        """Number of patients of each center, in the order of the centers."""
        counts = PAPER_COHORT if self.paper_size else self.patients
        return {center: counts[center] for center in SPLIT_OF_CENTER if counts.get(center)}

    @property
    def fingerprint(self) -> str:
        """Hash of what decides about a single patient: not of the numbers of patients."""
        decisive = {
            "version": self.version,
            "seed": self.seed,
            "regions": self.regions,
            "mask_dice": self.mask_dice,
            "contrast": self.contrast,
            "cases": self.cases,
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

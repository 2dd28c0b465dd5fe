"""Who is operated on at a center, how long they live, and how long they are followed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Cases = Literal["varied", "plain"]
Strengths = tuple[float, float]
"""Parameters (a, b) of a Beta distribution on 0 to 1."""
EVEN: Strengths = (0.8, 0.8)
"""Rather absent or full than halfway."""


@dataclass(frozen=True, kw_only=True)
class CaseMix:
    """What differs between centers; the effects of what a patient has are the same everywhere.

    Attributes:
        diameter_median_mm: Median diameter of the tumors but the very large ones.
        strengths: Latent to the distribution of its strength, where that is not ``EVEN``.
        very_large: Share of patients whose tumor is beyond the ordinary range, up to 15 cm.
        infiltrating: Share of patients whose tumor has a fuzzy border and no capsule.
        satellites: Share of patients with one to three small nodules near the tumor.
        mvi_log_odds: Log odds of MVI of the median patient.
        log_hazard: Level of death and of recurrence, added to the log hazards.
        entry_days: Operations are spread over so many days.
        shortest_days: The study ends so many days after the last operation.
        lost_per_year: Rate at which patients are lost to follow-up.
        age_years: Mean age.
        hepatitis_b: Share of patients with hepatitis B.
    """

    diameter_median_mm: float = 42.0
    strengths: Mapping[str, Strengths] = field(default_factory=dict)
    very_large: float = 0.0
    infiltrating: float = 0.0
    satellites: float = 0.0
    mvi_log_odds: float = -0.38
    log_hazard: float = 0.0
    entry_days: int = 365 * 5
    shortest_days: int = 365 * 2
    lost_per_year: float = 0.0
    age_years: float = 58.0
    hepatitis_b: float = 0.7


PLAIN = CaseMix()
"""One well-defined tumor of 16 to 97 mm each, and the same patients in all centers."""
DEVELOPMENT = CaseMix(very_large=0.04, infiltrating=0.12, satellites=0.16, mvi_log_odds=-1.20)
"""Centers I to V."""
EXTERNAL = CaseMix(
    diameter_median_mm=50.0,
    strengths={"washout": (1.1, 0.7), "capsule": (0.7, 1.1), "nodularity": (0.6, 1.0)},
    very_large=0.08,
    infiltrating=0.16,
    satellites=0.22,
    mvi_log_odds=-1.60,
    log_hazard=0.25,
    entry_days=365 * 4,
    shortest_days=365,
    lost_per_year=0.08,
    age_years=64.0,
    hepatitis_b=0.3,
)
"""Center VI: larger tumors, more washout, fewer capsules, less cirrhosis, shorter lives, shorter
and less complete follow-up."""


def case_mix(cases: Cases, center: str) -> CaseMix:
    """Return the case mix of a center."""
    if cases == "plain":
        return PLAIN
    return EXTERNAL if center == "VI" else DEVELOPMENT

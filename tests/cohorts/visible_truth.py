"""What each phase shows of the phantom's truth: the ceiling of a network that sees some phases."""

from collections.abc import Iterable, Mapping

import pandas as pd

from mtl_hcc.cohorts.phantom import latents as truth

VISIBILITY: Mapping[str, Mapping[str, float]] = {
    "diameter_mm": {"arterial": 1.0, "portal_venous": 1.0, "delayed": 1.0},
    "irregularity": {"arterial": 1.0, "portal_venous": 1.0, "delayed": 1.0},
    "capsule": {"arterial": 0.0, "portal_venous": 1.0, "delayed": 0.3},
    "hyperenhancement": {"arterial": 1.0, "portal_venous": 0.0, "delayed": 0.0},
    "washout": {"arterial": 0.0, "portal_venous": 1.0, "delayed": 0.3},
    "necrosis": {"arterial": 1.0, "portal_venous": 1.0, "delayed": 1.0},
    "corona": {"arterial": 1.0, "portal_venous": 0.0, "delayed": 0.0},
    "nodularity": {"arterial": 0.5, "portal_venous": 1.0, "delayed": 1.0},
    "loat_area_mm2": {"arterial": 1.0, "portal_venous": 1.0, "delayed": 1.0},
    "afp_ng_ml": {"arterial": 0.0, "portal_venous": 0.0, "delayed": 0.0},
}
"""Share of the full contrast at which a phase shows a latent."""


def _seen(latents: pd.DataFrame, phases: list[str]) -> pd.DataFrame:
    """Return the standardized latents, each shrunk to its visibility in the best given phase."""
    scores = truth.standardized(latents)
    for name, by_phase in VISIBILITY.items():
        scores[name] *= max((by_phase[phase] for phase in phases), default=0.0)
    return scores


def visible_log_hazard(latents: pd.DataFrame, phases: Iterable[str]) -> pd.DataFrame:
    """Return what the images of some phases tell about the outcomes: the ceiling of a network.

    A latent that the phases show at a share v of its full contrast counts v times; MVI, which
    nobody sees, is replaced by its visible probability.

    Args:
        latents: Latents of each patient, e.g. ``oracle.csv``.
        phases: Phases that are looked at.

    Returns:
        Columns ``os_log_hazard``, ``rfs_log_hazard`` and ``mvi_probability``.
    """
    scores = _seen(latents, list(phases))
    mvi = truth.probability(truth.MVI_INTERCEPT + truth.linear(scores, truth.MVI_EFFECT))
    death = truth.linear(scores, truth.DEATH_EFFECT) + truth.DEATH_EFFECT_OF_MVI * mvi
    recurrence = (
        truth.linear(scores, truth.RECURRENCE_EFFECT) + truth.RECURRENCE_EFFECT_OF_MVI * mvi
    )
    return pd.DataFrame(
        {
            "os_log_hazard": death,
            "rfs_log_hazard": truth.either_log_hazard(death, recurrence),
            "mvi_probability": mvi,
        }
    )

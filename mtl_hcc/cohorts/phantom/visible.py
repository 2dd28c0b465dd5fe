"""What images of some phases show of the phantom's truth: the ceiling of whoever looks at them."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy import special

from mtl_hcc.cohorts.phantom import latents as truth
from mtl_hcc.patient import CT_PHASES

SHOWN_IN: Mapping[str, tuple[str, ...]] = {
    "diameter_mm": CT_PHASES,
    "irregularity": CT_PHASES,
    "capsule": ("portal_venous", "delayed"),
    "hyperenhancement": ("arterial",),
    "washout": ("portal_venous", "delayed"),
    "necrosis": CT_PHASES,
    "corona": ("arterial",),
    "nodularity": CT_PHASES,
    "loat_area_mm2": CT_PHASES,
    "afp_ng_ml": (),
    "satellites": CT_PHASES,
    "infiltration": CT_PHASES,
}
"""Phases that show a latent, be it weakly: the mean over a region finds a weak contrast, too."""


def visible_scores(oracle: pd.DataFrame, phases: Collection[str]) -> pd.DataFrame:
    r"""Return what can be known of the outcomes from images of some phases alone.

    A latent that no given phase shows counts as its mean. MVI, which nobody sees, has its visible
    probability p, and the hazard is the expected one,
    :math:`(1 - p) e^{\eta_0} + p\, e^{\eta_1}`, of a patient without and with MVI.

    Args:
        oracle: Latents and ``mvi_probability`` of each patient, as in ``oracle.csv``.
        phases: Phases that are looked at.

    Returns:
        Columns ``os_log_hazard``, ``rfs_log_hazard`` and ``mvi_probability``, indexed as given.
    """
    everything = truth.standardized(oracle)
    unseen = [name for name, shown in SHOWN_IN.items() if not set(shown) & set(phases)]
    scores = everything.assign(**dict.fromkeys(unseen, 0.0))
    log_odds = pd.Series(special.logit(oracle["mvi_probability"]), index=oracle.index)
    # What the latents leave is that of the center's median patient, but for rounding.
    of_center = (log_odds - truth.linear(everything, truth.MVI_EFFECT)).round(6)
    mvi = truth.probability(of_center + truth.linear(scores, truth.MVI_EFFECT))
    death = [truth.log_hazard_of_death(scores, of) for of in (0.0, 1.0)]
    either = [
        truth.either_log_hazard(of_death, truth.log_hazard_of_recurrence(scores, of))
        for of, of_death in enumerate(death)
    ]
    return pd.DataFrame(
        {
            "os_log_hazard": _expected(death, mvi),
            "rfs_log_hazard": _expected(either, mvi),
            "mvi_probability": mvi,
        },
        index=oracle.index,
    )


def _expected(without_and_with: list["pd.Series[float]"], mvi: "pd.Series[float]") -> np.ndarray:
    """Return the log of the mean hazard without and with MVI, weighted by its probability."""
    without, with_mvi = without_and_with
    return np.asarray(np.log((1 - mvi) * np.exp(without) + mvi * np.exp(with_mvi)))

"""What happens to each phantom patient: MVI, death, recurrence and the end of the study."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from mtl_hcc.cohorts.phantom import latents as truth
from mtl_hcc.cohorts.phantom.case_mix import DEVELOPMENT, CaseMix

WEIBULL_SHAPE = 1.3
DEATH_SCALE_DAYS = 4400.0
"""63rd percentile of the time to death at log hazard 0."""
ECOG_1 = 0.04
"""Share of patients who are restricted in strenuous activity."""


def draw_outcomes(
    latents: pd.DataFrame, luck: pd.DataFrame, mix: CaseMix = DEVELOPMENT
) -> pd.DataFrame:
    r"""Draw MVI and the times, and tell the truth behind them.

    Death and recurrence are Weibull proportional hazards of one shape k,
    :math:`S(t) = \exp(-(t/\lambda)^k e^\eta)`, drawn independently given the latents and MVI;
    RFS ends with the earlier of both. Whole days; censored at the end of
    the study, or where the center loses the patient.

    Args:
        latents: As from ``draw_latents``.
        luck: As from ``draw_luck``.
        mix: The center's level of risk, and its follow-up.

    Returns:
        The contract's endpoint columns and ``os_log_hazard``, ``rfs_log_hazard``,
        ``mvi_probability``.
    """
    probability = truth.mvi_probability(latents, mix)
    mvi = 1.0 * (luck["mvi"] < probability)
    severe = luck["mvi_grade"] < 0.25 + 0.5 * probability
    scores = truth.standardized(latents)
    death_risk = truth.log_hazard_of_death(scores, mvi) + mix.log_hazard
    recurrence_risk = truth.log_hazard_of_recurrence(scores, mvi) + mix.log_hazard
    death = _weibull_days(death_risk, luck["death"])
    recurrence = _weibull_days(recurrence_risk + truth.RECURRENCE_LOG_RATE, luck["recurrence"])
    end = mix.shortest_days + np.floor(luck["entry"] * mix.entry_days)
    if mix.lost_per_year:
        lost = np.ceil(365 * -np.log1p(-luck["lost"]) / mix.lost_per_year)
        end = np.minimum(end, lost.clip(lower=30))
    first = np.minimum(death, recurrence)
    return pd.DataFrame(
        {
            "os_days": np.minimum(death, end).astype(int),
            "os_event": (death <= end).astype(int),
            "rfs_days": np.minimum(first, end).astype(int),
            "rfs_event": (first <= end).astype(int),
            "mvi": mvi.astype(int),
            "mvi_grade": (mvi * (1 + severe)).astype(int),
            "os_log_hazard": death_risk,
            "rfs_log_hazard": truth.either_log_hazard(death_risk, recurrence_risk),
            "mvi_probability": probability,
        },
        index=latents.index,
    )


def _weibull_days(log_hazard: "pd.Series[float]", luck: "pd.Series[float]") -> "pd.Series[float]":
    """Return the whole days after which S(t) has fallen to 1 - luck; never 0."""
    days = DEATH_SCALE_DAYS * (-np.log1p(-luck) * np.exp(-log_hazard)) ** (1 / WEIBULL_SHAPE)
    return pd.Series(np.maximum(np.ceil(days), 1), index=log_hazard.index)


def draw_clinical(
    latents: pd.DataFrame, luck: pd.DataFrame, mix: CaseMix = DEVELOPMENT
) -> pd.DataFrame:
    """Return what the clinic writes down: AFP, the diameter as read (5% error), age, sex, ..."""
    read = latents["diameter_mm"] * np.exp(0.05 * special.ndtri(luck["reading"]))
    weak_liver = luck["child_pugh"] < 0.05 + 0.25 * latents["nodularity"]
    number, ecog = 1 + latents["satellites"].astype(int), (luck["ecog"] < ECOG_1).astype(int)
    return pd.DataFrame(
        {
            "tumor_diameter_mm": read.round(0).astype(int),
            "tumor_number": number,
            "afp_ng_ml": latents["afp_ng_ml"].round(1).clip(lower=0.6),
            "age_years": (mix.age_years + 11 * special.ndtri(luck["age_years"]))
            .clip(22, 85)
            .round(0)
            .astype(int),
            "sex": np.where(luck["sex"] < 0.8, "male", "female"),
            "hepatitis_b": (luck["hepatitis_b"] < mix.hepatitis_b).astype(int),
            "child_pugh": np.where(weak_liver, "B", "A"),
            "ecog": ecog,
            "bclc_stage": bclc_stage(read, number, weak_liver, ecog),
        },
        index=latents.index,
    )


def bclc_stage(
    diameter_mm: "pd.Series[float]",
    number: "pd.Series[int]",
    weak_liver: "pd.Series[bool]",
    ecog: "pd.Series[int]",
) -> npt.NDArray[np.str_]:
    """Return the stage by the rule of the Barcelona Clinic Liver Cancer group.

    A solitary tumor is A whatever its size, 0 up to 2 cm in a preserved liver (Child-Pugh A); two
    or three nodules up to 3 cm are A, other multinodular tumors B; ECOG 1 or 2 is C. Nobody here
    has macrovascular invasion (C) or end-stage disease (D): such patients are not resected.

    Args:
        diameter_mm: Of the largest nodule.
        number: Of nodules, satellites included.
        weak_liver: Whether the liver is Child-Pugh B.
        ecog: Performance status.
    """
    alone = number == 1
    few = (number <= 3) & (diameter_mm <= 30)
    very_early = alone & (diameter_mm <= 20) & ~weak_liver
    return np.select([ecog > 0, very_early, alone | few], ["C", "0", "A"], "B")

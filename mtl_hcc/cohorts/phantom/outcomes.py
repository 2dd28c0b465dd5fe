"""What happens to each phantom patient: MVI, death, recurrence and the end of the study."""

import numpy as np
import pandas as pd
from scipy import special

from mtl_hcc.cohorts.phantom import latents as truth

WEIBULL_SHAPE = 1.3
DEATH_SCALE_DAYS = 4400.0
"""63rd percentile of the time to death at log hazard 0."""
ENTRY_WINDOW_DAYS = 365 * 5
SHORTEST_FOLLOW_UP_DAYS = 365 * 2
"""Operations are spread over five years; the study ends two years after the last one."""


def draw_outcomes(latents: pd.DataFrame, luck: pd.DataFrame) -> pd.DataFrame:
    r"""Draw MVI and the times, and tell the truth behind them.

    Death and recurrence are Weibull proportional hazards of one shape k,
    :math:`S(t) = \exp(-(t/\lambda)^k e^\eta)`, drawn independently given the latents and MVI;
    RFS ends with the earlier of both. Whole days, administrative censoring.

    Returns:
        The contract's endpoint columns and ``os_log_hazard``, ``rfs_log_hazard``,
        ``mvi_probability``.
    """
    probability = truth.mvi_probability(latents)
    mvi = 1.0 * (luck["mvi"] < probability)
    severe = luck["mvi_grade"] < 0.25 + 0.5 * probability
    death_risk = truth.death_log_hazard(latents, mvi)
    recurrence_risk = truth.recurrence_log_hazard(latents, mvi)
    death = _weibull_days(death_risk, luck["death"])
    recurrence = _weibull_days(recurrence_risk + truth.RECURRENCE_LOG_RATE, luck["recurrence"])
    end = SHORTEST_FOLLOW_UP_DAYS + np.floor(luck["entry"] * ENTRY_WINDOW_DAYS)
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


def draw_clinical(latents: pd.DataFrame, luck: pd.DataFrame) -> pd.DataFrame:
    """Return what the clinic writes down: AFP, the diameter as read (5% error), age, sex, ..."""
    read = latents["diameter_mm"] * np.exp(0.05 * special.ndtri(luck["reading"]))
    weak_liver = luck["child_pugh"] < 0.05 + 0.25 * latents["nodularity"]
    return pd.DataFrame(
        {
            "tumor_diameter_mm": read.round(0).astype(int),
            "afp_ng_ml": latents["afp_ng_ml"].round(1).clip(lower=0.6),
            "age_years": (58 + 11 * special.ndtri(luck["age_years"]))
            .clip(22, 85)
            .round(0)
            .astype(int),
            "sex": np.where(luck["sex"] < 0.8, "male", "female"),
            "hepatitis_b": (luck["hepatitis_b"] < 0.7).astype(int),
            "child_pugh": np.where(weak_liver, "B", "A"),
            "bclc_stage": np.select([read <= 20, read <= 50], ["0", "A"], "B"),
        },
        index=latents.index,
    )

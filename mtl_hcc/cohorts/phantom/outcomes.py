"""What happens to each phantom patient: MVI, death, recurrence and the end of the study."""

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.phantom import latents as truth

WEIBULL_SHAPE = 1.3
DEATH_SCALE_DAYS = 5200.0
"""63rd percentile of the time to death at log hazard 0."""
ENTRY_WINDOW_DAYS = 365 * 5
SHORTEST_FOLLOW_UP_DAYS = 365 * 2
"""Operations are spread over five years; the study ends two years after the last one."""


def draw_outcomes(latents: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    r"""Draw MVI and the times, and tell the truth behind them.

    Death and recurrence are Weibull proportional hazards of one shape k,
    :math:`S(t) = \exp(-(t/\lambda)^k e^\eta)`, drawn independently given the latents and MVI;
    RFS ends with the earlier of both. Whole days, administrative censoring.

    Returns:
        The contract's endpoint columns and ``os_log_hazard``, ``rfs_log_hazard``,
        ``mvi_probability``.
    """
    number = len(latents)
    probability = truth.mvi_probability(latents)
    mvi = pd.Series(1.0 * (rng.random(number) < probability), index=latents.index)
    severe = rng.random(number) < 0.25 + 0.5 * probability
    death_risk = truth.death_log_hazard(latents, mvi)
    recurrence_risk = truth.recurrence_log_hazard(latents, mvi)
    death = _weibull_days(death_risk, rng)
    recurrence = _weibull_days(recurrence_risk + truth.RECURRENCE_LOG_RATE, rng)
    end = SHORTEST_FOLLOW_UP_DAYS + np.floor(rng.random(number) * ENTRY_WINDOW_DAYS)
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


def _weibull_days(log_hazard: "pd.Series[float]", rng: np.random.Generator) -> "pd.Series[float]":
    exponential = rng.exponential(size=len(log_hazard))
    days = DEATH_SCALE_DAYS * (exponential * np.exp(-log_hazard)) ** (1 / WEIBULL_SHAPE)
    return pd.Series(np.ceil(days), index=log_hazard.index)


def draw_clinical(
    latents: pd.DataFrame, outcomes: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw what the clinic writes down: AFP, the diameter as read (5% error), age, sex, ..."""
    number = len(latents)
    read = latents["diameter_mm"] * np.exp(0.05 * rng.standard_normal(number))
    weak_liver = rng.random(number) < 0.05 + 0.25 * latents["nodularity"]
    stage = np.select([read <= 20, read <= 50], ["0", "A"], "B")
    return pd.DataFrame(
        {
            "tumor_diameter_mm": read.round(0).astype(int),
            "afp_ng_ml": latents["afp_ng_ml"].round(1).clip(lower=0.6),
            "age_years": np.clip(rng.normal(58, 11, number), 22, 85).round(0).astype(int),
            "sex": np.where(rng.random(number) < 0.8, "male", "female"),
            "hepatitis_b": (rng.random(number) < 0.7).astype(int),
            "child_pugh": np.where(weak_liver, "B", "A"),
            "bclc_stage": stage,
        },
        index=latents.index,
    )

"""What is true of each phantom patient: the latent variables and the hazards made of them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import special

UNIT_LATENTS = (
    "irregularity",
    "capsule",
    "hyperenhancement",
    "washout",
    "necrosis",
    "corona",
    "nodularity",
)
"""Strengths from 0 (absent) to 1 (full), Beta(0.8, 0.8): rather absent or full than halfway."""
LATENTS = ("diameter_mm", *UNIT_LATENTS, "loat_area_mm2", "afp_ng_ml")
CHANCES = (
    "mvi",
    "mvi_grade",
    "death",
    "recurrence",
    "entry",
    "reading",
    "age_years",
    "sex",
    "hepatitis_b",
    "child_pugh",
)
LUCK = (*LATENTS, *CHANCES)
"""What chance decides about a patient: one random number each."""

MVI_EFFECT = {
    "diameter_mm": 1.05,
    "irregularity": 0.80,
    "capsule": -1.25,
    "corona": 1.70,
    "afp_ng_ml": 0.30,
}
"""Log odds of MVI per standard deviation of the latent."""
DEATH_EFFECT = {
    "diameter_mm": 0.65,
    "washout": 0.95,
    "necrosis": 0.81,
    "nodularity": 0.35,
    "loat_area_mm2": 0.22,
}
"""Log hazard of death per standard deviation of the latent."""
RECURRENCE_EFFECT = {
    "diameter_mm": 0.65,
    "washout": 0.87,
    "necrosis": 0.60,
    "nodularity": 0.30,
    "loat_area_mm2": 0.25,
}
"""Log hazard of recurrence per standard deviation of the latent."""
DEATH_EFFECT_OF_MVI = 0.75
RECURRENCE_EFFECT_OF_MVI = 0.95
MVI_INTERCEPT = -0.38
RECURRENCE_LOG_RATE = 0.25
"""Log of the baseline rate of recurrence over that of death."""

DIAMETER_MEDIAN_MM, DIAMETER_LOG_SD = 42.0, 0.42
LOAT_MEDIAN_MM2, LOAT_LOG_SD = 850.0, 0.42
AFP_MEDIAN_NG_ML, AFP_LOG_SD = 35.0, 2.2
UNIT_SHAPE = 0.8
TRUNCATION_SD = (-2.3, 2.0)
"""Sizes are kept between these standard deviations: a tumor of 16 to 97 mm."""


def draw_luck(streams: Iterable[np.random.Generator]) -> pd.DataFrame:
    """Return the random numbers that decide about each patient: uniform, one row per stream.

    Every patient has a stream of its own, so that nobody changes when others are added.
    """
    return pd.DataFrame([rng.random(len(LUCK)) for rng in streams], columns=list(LUCK))


def draw_latents(luck: pd.DataFrame) -> pd.DataFrame:
    """Return the latent variables that follow from the random numbers; they are independent."""
    latents = pd.DataFrame(index=luck.index)
    size = special.ndtri(luck["diameter_mm"]).clip(*TRUNCATION_SD)
    latents["diameter_mm"] = DIAMETER_MEDIAN_MM * np.exp(DIAMETER_LOG_SD * size)
    for name in UNIT_LATENTS:
        latents[name] = special.betaincinv(UNIT_SHAPE, UNIT_SHAPE, luck[name])
    fat = special.ndtri(luck["loat_area_mm2"]).clip(*TRUNCATION_SD)
    latents["loat_area_mm2"] = LOAT_MEDIAN_MM2 * np.exp(LOAT_LOG_SD * fat)
    latents["afp_ng_ml"] = AFP_MEDIAN_NG_ML * np.exp(AFP_LOG_SD * special.ndtri(luck["afp_ng_ml"]))
    return latents


def standardized(latents: pd.DataFrame) -> pd.DataFrame:
    """Return the latents with mean 0 and standard deviation 1 in the phantom population."""
    unit_sd = np.sqrt(1 / (4 * (2 * UNIT_SHAPE + 1)))
    scores = pd.DataFrame(index=latents.index)
    for name in UNIT_LATENTS:
        scores[name] = (latents[name] - 0.5) / unit_sd
    for name, median, log_sd in (
        ("diameter_mm", DIAMETER_MEDIAN_MM, DIAMETER_LOG_SD),
        ("loat_area_mm2", LOAT_MEDIAN_MM2, LOAT_LOG_SD),
        ("afp_ng_ml", AFP_MEDIAN_NG_ML, AFP_LOG_SD),
    ):
        scores[name] = np.log(latents[name] / median) / log_sd
    return scores


def linear(scores: pd.DataFrame, effects: Mapping[str, float]) -> "pd.Series[float]":
    """Return the sum of the standardized latents times their effects."""
    return sum((scores[name] * effect for name, effect in effects.items()), 0.0 * scores.iloc[:, 0])


def probability(log_odds: "pd.Series[float]") -> "pd.Series[float]":
    """Return the probability of log odds."""
    return pd.Series(1 / (1 + np.exp(-log_odds)), index=log_odds.index)


def mvi_probability(latents: pd.DataFrame) -> "pd.Series[float]":
    """Return the true probability of microvascular invasion."""
    return probability(MVI_INTERCEPT + linear(standardized(latents), MVI_EFFECT))


def death_log_hazard(latents: pd.DataFrame, mvi: "pd.Series[float]") -> "pd.Series[float]":
    """Return the true log hazard of death, relative to the baseline (OS)."""
    return linear(standardized(latents), DEATH_EFFECT) + DEATH_EFFECT_OF_MVI * mvi


def recurrence_log_hazard(latents: pd.DataFrame, mvi: "pd.Series[float]") -> "pd.Series[float]":
    """Return the true log hazard of recurrence alone, relative to the baseline."""
    return linear(standardized(latents), RECURRENCE_EFFECT) + RECURRENCE_EFFECT_OF_MVI * mvi


def either_log_hazard(
    death: "pd.Series[float]", recurrence: "pd.Series[float]"
) -> "pd.Series[float]":
    """Return the log hazard of recurrence or death: both share a Weibull shape, so rates add."""
    either = np.logaddexp(death, recurrence + RECURRENCE_LOG_RATE)
    return pd.Series(either, index=death.index)

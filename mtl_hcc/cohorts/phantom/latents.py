"""What is true of each phantom patient: the latent variables and the hazards made of them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import special

from mtl_hcc.cohorts.phantom.case_mix import DEVELOPMENT, EVEN, CaseMix

UNIT_LATENTS = (
    "irregularity",
    "capsule",
    "hyperenhancement",
    "washout",
    "necrosis",
    "corona",
    "nodularity",
)
"""Strengths from 0 (absent) to 1 (full)."""
_DRAWN = ("diameter_mm", *UNIT_LATENTS, "loat_area_mm2", "afp_ng_ml")
LATENTS = (*_DRAWN, "satellites", "infiltration")
"""``satellites``: their number, 0 to 3. ``infiltration``: 0, or 0.6 to 1 for a fuzzy border."""
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
_LATER = ("very_large", "satellites", "infiltration", "ecog", "lost")
LUCK = (*_DRAWN, *CHANCES, *_LATER)
"""What chance decides about a patient: one random number each. New ones come last, so that the
others stay as they were."""

MVI_EFFECT = {
    "diameter_mm": 1.05,
    "irregularity": 0.80,
    "capsule": -1.25,
    "corona": 1.70,
    "afp_ng_ml": 0.30,
    "satellites": 0.60,
    "infiltration": 0.80,
}
"""Log odds of MVI per standard deviation of the latent; per satellite; of full infiltration."""
DEATH_EFFECT = {
    "diameter_mm": 0.65,
    "washout": 0.95,
    "necrosis": 0.81,
    "nodularity": 0.35,
    "loat_area_mm2": 0.22,
    "satellites": 0.15,
    "infiltration": 0.30,
}
"""Log hazard of death, likewise."""
RECURRENCE_EFFECT = {
    "diameter_mm": 0.65,
    "washout": 0.87,
    "necrosis": 0.60,
    "nodularity": 0.30,
    "loat_area_mm2": 0.25,
    "satellites": 0.35,
    "infiltration": 0.30,
}
"""Log hazard of recurrence, likewise."""
DEATH_EFFECT_OF_MVI = 0.75
RECURRENCE_EFFECT_OF_MVI = 0.95
RECURRENCE_LOG_RATE = 0.25
"""Log of the baseline rate of recurrence over that of death."""

DIAMETER_MEDIAN_MM, DIAMETER_LOG_SD = 42.0, 0.42
VERY_LARGE_MM = (98.0, 150.0)
LOAT_MEDIAN_MM2, LOAT_LOG_SD = 850.0, 0.42
AFP_MEDIAN_NG_ML, AFP_LOG_SD = 35.0, 2.2
TRUNCATION_SD = (-2.3, 2.0)
"""Sizes are kept between these standard deviations: an ordinary tumor of 16 to 97 mm."""
SHARES_OF_SATELLITES = (0.5, 0.8)
"""Of the patients with satellites, so many have at most one, at most two."""
LEAST_INFILTRATION = 0.6


def draw_luck(streams: Iterable[np.random.Generator]) -> pd.DataFrame:
    """Return the random numbers that decide about each patient: uniform, one row per stream.

    Every patient has a stream of its own, so that nobody changes when others are added.
    """
    return pd.DataFrame([rng.random(len(LUCK)) for rng in streams], columns=list(LUCK))


def draw_latents(luck: pd.DataFrame, mix: CaseMix = DEVELOPMENT) -> pd.DataFrame:
    """Return the latent variables that follow from the random numbers.

    They are independent, but that an infiltrating tumor has no capsule.

    Args:
        luck: As from ``draw_luck``.
        mix: How often the patients' center sees what.
    """
    latents = pd.DataFrame(index=luck.index)
    size = special.ndtri(luck["diameter_mm"]).clip(*TRUNCATION_SD)
    ordinary = mix.diameter_median_mm * np.exp(DIAMETER_LOG_SD * size)
    smallest, largest = VERY_LARGE_MM
    beyond = smallest * (largest / smallest) ** luck["diameter_mm"]
    latents["diameter_mm"] = ordinary.where(luck["very_large"] >= mix.very_large, beyond)
    for name in UNIT_LATENTS:
        latents[name] = special.betaincinv(*mix.strengths.get(name, EVEN), luck[name])
    fat = special.ndtri(luck["loat_area_mm2"]).clip(*TRUNCATION_SD)
    latents["loat_area_mm2"] = LOAT_MEDIAN_MM2 * np.exp(LOAT_LOG_SD * fat)
    latents["afp_ng_ml"] = AFP_MEDIAN_NG_ML * np.exp(AFP_LOG_SD * special.ndtri(luck["afp_ng_ml"]))
    rank = luck["satellites"] / max(mix.satellites, 1e-9)  # below 1 with satellites
    latents["satellites"] = (rank < 1) * (1 + np.searchsorted(SHARES_OF_SATELLITES, rank))
    rank = luck["infiltration"] / max(mix.infiltrating, 1e-9)
    latents["infiltration"] = (1 - (1 - LEAST_INFILTRATION) * rank).where(rank < 1, 0.0)
    latents["capsule"] = latents["capsule"].mask(rank < 1, 0.0)
    return latents


def standardized(latents: pd.DataFrame) -> pd.DataFrame:
    """Return the latents as the effects take them.

    Mean 0 and standard deviation 1 in a population of ordinary tumors, the same scale for all
    centers; satellites and infiltration, which most patients do not have, as they are.
    """
    unit_sd = np.sqrt(1 / (4 * (2 * EVEN[0] + 1)))
    scores = pd.DataFrame(index=latents.index)
    for name in UNIT_LATENTS:
        scores[name] = (latents[name] - 0.5) / unit_sd
    for name, median, log_sd in (
        ("diameter_mm", DIAMETER_MEDIAN_MM, DIAMETER_LOG_SD),
        ("loat_area_mm2", LOAT_MEDIAN_MM2, LOAT_LOG_SD),
        ("afp_ng_ml", AFP_MEDIAN_NG_ML, AFP_LOG_SD),
    ):
        scores[name] = np.log(latents[name] / median) / log_sd
    return scores.join(latents[["satellites", "infiltration"]].astype(float))


def linear(scores: pd.DataFrame, effects: Mapping[str, float]) -> "pd.Series[float]":
    """Return the sum of the standardized latents times their effects."""
    return sum((scores[name] * effect for name, effect in effects.items()), 0.0 * scores.iloc[:, 0])


def probability(log_odds: "pd.Series[float]") -> "pd.Series[float]":
    """Return the probability of log odds."""
    return pd.Series(1 / (1 + np.exp(-log_odds)), index=log_odds.index)


def mvi_probability(latents: pd.DataFrame, mix: CaseMix = DEVELOPMENT) -> "pd.Series[float]":
    """Return the true probability of microvascular invasion."""
    return probability(mix.mvi_log_odds + linear(standardized(latents), MVI_EFFECT))


def log_hazard_of_death(
    scores: pd.DataFrame, mvi: "pd.Series[float] | float"
) -> "pd.Series[float]":
    """Return the log hazard of death of standardized latents, relative to the baseline (OS)."""
    return linear(scores, DEATH_EFFECT) + DEATH_EFFECT_OF_MVI * mvi


def log_hazard_of_recurrence(
    scores: pd.DataFrame, mvi: "pd.Series[float] | float"
) -> "pd.Series[float]":
    """Return the log hazard of recurrence alone, relative to the baseline."""
    return linear(scores, RECURRENCE_EFFECT) + RECURRENCE_EFFECT_OF_MVI * mvi


def either_log_hazard(
    death: "pd.Series[float]", recurrence: "pd.Series[float]"
) -> "pd.Series[float]":
    """Return the log hazard of recurrence or death: both share a Weibull shape, so rates add."""
    either = np.logaddexp(death, recurrence + RECURRENCE_LOG_RATE)
    return pd.Series(either, index=death.index)

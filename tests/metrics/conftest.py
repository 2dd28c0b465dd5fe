"""Tables of predictions whose truth is known, made on the spot."""

import numpy as np
import pandas as pd
import pytest

CENTERS = {"train": ["I"], "validation": ["II", "III"], "external": ["VI"]}


def draw_cohort(seed: int, sizes: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table, indexed by patient_id, with its splits, and the truth behind it."""
    rng = np.random.default_rng(seed)
    number = sum(sizes.values())
    log_hazard = rng.normal(size=number)
    time = np.ceil(rng.exponential(900 * np.exp(-log_hazard)))
    end = np.ceil(rng.uniform(200, 2500, size=number))
    probability = 1 / (1 + np.exp(-2 * log_hazard))
    split = np.repeat(list(sizes), list(sizes.values()))
    center = [CENTERS[name][place % len(CENTERS[name])] for place, name in enumerate(split)]
    patient_id = [f"P{place:04d}" for place in range(number)]
    table = pd.DataFrame(
        {
            "center": center,
            "os_days": np.minimum(time, end),
            "os_event": (time <= end).astype(float),
            "mvi": (rng.random(number) < probability).astype(float),
            "afp_ng_ml": np.exp(log_hazard + rng.normal(size=number)),
            "tumor_diameter_mm": 40 + 10 * (log_hazard + 2 * rng.normal(size=number)),
        },
        index=pd.Index(patient_id, name="patient_id"),
    )
    truth = pd.DataFrame(
        {"patient_id": patient_id, "os_log_hazard": log_hazard, "mvi_probability": probability}
    )
    splits = pd.DataFrame({"patient_id": patient_id, "fold": 0, "split": split})
    return table.assign(split=split), truth.merge(splits, on="patient_id")


@pytest.fixture(scope="session")
def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A small cohort: 120 train, 60 validation of two centers, 50 external."""
    return draw_cohort(3, {"train": 120, "validation": 60, "external": 50})


@pytest.fixture
def predictions(cohort) -> pd.DataFrame:
    """Predictions of one model, OS and MVI, as in predictions.csv."""
    table, truth = cohort
    noise = np.random.default_rng(5).normal(size=len(truth))
    who = truth[["patient_id", "split", "fold"]].assign(center=table["center"].to_numpy())
    os = who.assign(
        task="os",
        risk=truth["os_log_hazard"] + noise,
        time_days=table["os_days"].to_numpy(),
        event=table["os_event"].to_numpy(),
    )
    mvi = who.assign(
        task="mvi",
        label=table["mvi"].to_numpy(),
        probability=1 / (1 + np.exp(-truth["mvi_probability"] - noise)),
    )
    return pd.concat([os, mvi], ignore_index=True)

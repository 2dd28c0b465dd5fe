"""A cohort's table, with splits, and the predictions of a network that is better than AFP."""

import numpy as np
import pandas as pd
import pytest

CENTERS = {"train": ["I"], "validation": ["II", "III"], "external": ["IV"]}
SIZES = {"train": 160, "validation": 80, "external": 90}


@pytest.fixture(scope="session")
def patients() -> pd.DataFrame:
    """330 patients: MVI and OS follow a log hazard that size and AFP tell a part of."""
    rng = np.random.default_rng(11)
    split = np.repeat(list(SIZES), list(SIZES.values()))
    number = len(split)
    hazard = rng.normal(size=number)
    time, end = rng.exponential(900 * np.exp(-hazard)), rng.uniform(300, 2500, number)
    afp = np.round(10 ** (1.3 + 0.4 * hazard + 0.8 * rng.normal(size=number)), 1) + 0.1
    stage = np.where(hazard + rng.normal(size=number) > 0.5, "B", "A").astype(object)
    stage[:3] = "C"
    table = pd.DataFrame(
        {
            "patient_id": [f"P{place:03d}" for place in range(number)],
            "center": [
                CENTERS[name][place % len(CENTERS[name])] for place, name in enumerate(split)
            ],
            "split": split,
            "os_days": np.ceil(np.minimum(time, end)),
            "os_event": (time <= end).astype(float),
            "mvi": (rng.normal(size=number) < hazard).astype(float),
            "tumor_diameter_mm": np.round(45 + 10 * hazard + 15 * rng.normal(size=number)).clip(5),
            "afp_ng_ml": afp,
            "age_years": np.round(58 + 11 * rng.normal(size=number)),
            "hepatitis_b": (rng.random(number) < 0.6).astype(float),
            "bclc_stage": stage,
            "surgeon": [f"name {place}" for place in range(number)],
        }
    )
    table.attrs["hazard"] = hazard.tolist()
    table.loc[[5, 170], "afp_ng_ml"] = np.nan
    table.loc[[7, 250], "mvi"] = np.nan
    return table


@pytest.fixture(scope="session")
def predictions(patients) -> pd.DataFrame:
    """OS and MVI as in predictions.csv: the network, then a baseline."""
    hazard = np.array(patients.attrs["hazard"])
    rng = np.random.default_rng(12)
    who = patients[["patient_id", "center", "split"]].assign(fold=0)
    parts = []
    for model, noise in (("network", 0.5), ("AFP", 3.0)):
        score = hazard + noise * rng.normal(size=len(hazard))
        outcome = {"time_days": patients["os_days"], "event": patients["os_event"]}
        survival = {"survival_365": np.exp(-0.2 * np.exp(score))}
        parts.append(who.assign(model=model, task="os", risk=score, **outcome, **survival))
        probability = 1 / (1 + np.exp(-score))
        classes = {"label": patients["mvi"], "probability": probability}
        parts.append(who.assign(model=model, task="mvi", **classes))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def metrics(predictions) -> pd.DataFrame:
    """As metrics.csv, with few resamples."""
    from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions

    return evaluate_predictions(predictions, bootstraps=100)


@pytest.fixture
def bare() -> pd.DataFrame:
    """A cohort's table without any clinical column."""
    return pd.DataFrame(
        {
            "patient_id": [f"P{place}" for place in range(40)],
            "center": "I",
            "os_days": np.arange(1.0, 41.0),
            "os_event": np.tile([1.0, 0.0], 20),
        }
    )

"""Tables of patients whose truth is known: what several folders of tests share."""

import numpy as np
import pandas as pd

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


HOSPITALS = {"train": ["I"], "validation": ["II", "III"], "external": ["IV"]}
SIZES = {"train": 160, "validation": 80, "external": 90}


def draw_patients() -> pd.DataFrame:
    """Return 330 patients: MVI and OS follow a log hazard that size and AFP tell a part of."""
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
                HOSPITALS[name][place % len(HOSPITALS[name])] for place, name in enumerate(split)
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


def draw_predictions(patients: pd.DataFrame) -> pd.DataFrame:
    """Return OS and MVI as in predictions.csv: the network, then a baseline."""
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


def bare_table() -> pd.DataFrame:
    """Return a cohort's table without any clinical column."""
    return pd.DataFrame(
        {
            "patient_id": [f"P{place}" for place in range(40)],
            "center": "I",
            "os_days": np.arange(1.0, 41.0),
            "os_event": np.tile([1.0, 0.0], 20),
        }
    )

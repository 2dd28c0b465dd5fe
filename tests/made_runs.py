"""A run folder as `fit` leaves it, made in a moment: what the tests of the report share."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

SPLITS = {"train": 60, "validation": 24, "external": 36}
CENTERS = {"train": "I", "validation": "II", "external": "III"}
CONFIG = """# python 3.12.1
# mtl_hcc 0.1.0
# torch 2.13.0
seed: 7
run: runs/made
bootstraps: 20
baselines: {AFP: {afp_ng_ml: log}}
model:
  heads:
    os: {class_path: mtl_hcc.nn.CoxHead, init_args: {endpoint: os}}
    mvi: {class_path: mtl_hcc.nn.ClassHead, init_args: {column: mvi, class_weights: null}}
  encoders:
    tumor: {backbone: {class_path: mtl_hcc.nn.DenseNet, init_args: {growth_rate: 4}}}
  weighting: {class_path: mtl_hcc.losses.DynamicWeightAverage, init_args: {temperature: 2.0}}
data:
  store: /home/somebody/prepared/secret
  cohort: /home/somebody/cohort
  split: {class_path: mtl_hcc.data.splits.SplitByColumn, init_args: {column: split}}
  preparation:
    views: {tumor: {phases: [arterial, delayed], spacing_mm: 2.0, keep: regions}}
trainer: {max_epochs: 3}
"""
QUARANTINE = [
    ("Q1", "prepare", "patient Q1, images/Q1: no delayed phase. Add the file."),
    ("Q2", "prepare", "patient Q2, images/Q2: no delayed phase. Add the file."),
    ("Q3", "table", "patients.csv, line 9, column os_days: zero time (0); write days > 0"),
    ("P003", "table", "kept: patients.csv, line 5, column afp_ng_ml: 1e9 is outside 0 to 1000000"),
]


def write_run(folder: Path, *, seed: int = 0, noise: float = 0.7) -> Path:
    """Write a run folder of 120 patients with OS, RFS and MVI, a baseline and the oracle."""
    patients, truth = _patients()
    rng = np.random.default_rng(100 + seed)
    models = {
        "network": truth + noise * rng.normal(size=len(truth)),
        "AFP": np.log(patients["afp_ng_ml"].to_numpy()) - 3,
        "oracle": truth,
    }
    tables = {name: _predictions(patients, risk) for name, risk in models.items()}
    folder.mkdir(parents=True, exist_ok=True)
    tables["network"].to_csv(folder / "predictions.csv", index=False)
    beside = pd.concat([tables[name].assign(model=name) for name in ("AFP", "oracle")])
    beside.to_csv(folder / "baselines.csv", index=False)
    patients.to_csv(folder / "patients.csv", index=False)
    columns = ["patient_id", "step", "reason"]
    pd.DataFrame(QUARANTINE, columns=columns).to_csv(folder / "quarantine.csv", index=False)
    _history().to_csv(folder / "history.csv", index=False)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


def write_ablation(folder: Path) -> None:
    """Write an ``ablation.csv`` of two designs into a run."""
    rows = [
        {
            "variant": variant, "seed": "all", "split": "external", "task": "os",
            "metric": "concordance_harrell", "value": value, "spread": 0.01,
            "difference": value - 0.7, "difference_spread": 0.0, "ci_low": value - 0.8,
            "ci_high": value - 0.6, "p": 0.5, "p_holm": 0.5, "n": 36, "events": 20,
            "method": "mean of 2 seeds; 36 common patients, 0 dropped",
        }
        for variant, value in (("full", 0.7), ("no_rotation", 0.65))
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "ablation.csv", index=False)


def write_explanation(folder: Path) -> None:
    """Write what the report takes from ``explanation/``: pooled tables and one picture."""
    from PIL import Image

    explanation = folder / "explanation"
    (explanation / "overlays").mkdir(parents=True)
    regions = {
        "split": ["external"], "task": ["os"], "phase": ["portal_venous"], "region": ["tumor"],
        "n": [36], "share": [0.31], "share_ci_low": [0.25], "share_ci_high": [0.37],
        "share_null": [0.12], "p": [0.005], "hit": [0.5], "hit_ci_low": [0.4],
        "hit_ci_high": [0.6],
    }  # fmt: skip
    pd.DataFrame(regions).to_csv(explanation / "regions_pooled.csv", index=False)
    sanity = {
        "split": "external", "task": "os", "phase": "arterial", "randomized": ["heads", "stem"],
        "n": 36, "rank_correlation": [0.77, 0.14], "share_tumor_ring": 0.46,
        "share_tumor_ring_random": [0.52, 0.81], "difference": [-0.06, -0.35],
        "ci_low": [-0.1, -0.41], "ci_high": [0.0, -0.29],
    }  # fmt: skip
    pd.DataFrame(sanity).to_csv(explanation / "sanity_pooled.csv", index=False)
    Image.new("RGB", (30, 20), "white").save(explanation / "overlays" / "P100_os.png")
    (explanation / "explain.yaml").write_text(json.dumps({"patients": 36}), encoding="utf-8")


def _patients() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(5)
    number = sum(SPLITS.values())
    split = np.repeat(list(SPLITS), list(SPLITS.values()))
    truth = rng.normal(size=number)
    death = np.ceil(rng.exponential(1200 * np.exp(-truth)))
    recurrence = np.ceil(rng.exponential(900 * np.exp(-truth)))
    end = np.ceil(rng.uniform(900, 2500, size=number))
    first = np.minimum(death, recurrence)
    table = pd.DataFrame(
        {
            "patient_id": [f"P{place:03d}" for place in range(number)],
            "center": [CENTERS[name] for name in split],
            "split": split,
            "fold": 0,
            "os_days": np.minimum(death, end),
            "os_event": (death <= end).astype(int),
            "rfs_days": np.minimum(first, end),
            "rfs_event": (first <= end).astype(int),
            "mvi": (rng.random(number) < 1 / (1 + np.exp(-2 * truth))).astype(int),
            "afp_ng_ml": np.round(np.exp(3 + truth / 2 + rng.normal(size=number)), 1),
            "age_years": np.round(rng.normal(60, 9, size=number)),
            "sex": rng.choice(["male", "female"], number),
        }
    )
    return table, truth


def _predictions(patients: pd.DataFrame, risk: np.ndarray) -> pd.DataFrame:
    who = patients[["patient_id", "center", "split", "fold"]]
    parts = []
    for task, scale in (("os", 1200), ("rfs", 500)):
        survival = {
            f"survival_{days}": np.exp(-days / scale * np.exp(risk)) for days in (365, 730, 1095)
        }
        times = {"time_days": patients[f"{task}_days"], "event": patients[f"{task}_event"]}
        parts.append(who.assign(task=task, risk=risk, **times, **survival))
    probability = 1 / (1 + np.exp(-2 * risk))
    parts.append(who.assign(task="mvi", label=patients["mvi"], probability=probability))
    return pd.concat(parts, ignore_index=True)


def _history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "train/loss": [3.0, 2.5, 2.0],
            "validation/loss": [3.1, 2.7, 2.9],
            "train/loss_os": [1.5, 1.2, 1.0],
            "validation/loss_os": [1.6, 1.4, 1.5],
            "weights/os": [1.0, 1.0, 1.1],
            "weights/mvi": [1.0, 1.0, 0.9],
        }
    )

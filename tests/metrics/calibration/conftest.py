"""Cohorts whose truth is known, and the predictions that the R oracle also makes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.task_metric import TaskRows

ORACLE = Path(__file__).parents[2] / "oracles" / "calibration" / "calibration.csv"
HORIZONS = (365, 1095)


@pytest.fixture(scope="session")
def r_values():
    """What R gave, by cohort, horizon (NaN: none) and name."""
    table = pd.read_csv(ORACLE)
    return {
        (row.cohort, None if np.isnan(row.horizon) else int(row.horizon), row.name_): row.value
        for row in table.rename(columns={"name": "name_"}).itertuples()
    }


def as_sample(rows):
    """Return rows of one task as a metric gets them."""
    place = {"center": "I", "split": "test", "fold": 0, "task": "os"}
    rows = rows.assign(**{name: rows.get(name, value) for name, value in place.items()})
    if "patient_id" not in rows:
        rows["patient_id"] = [f"P{k}" for k in range(len(rows))]
    checked = check_predictions(rows)
    kind = task_kind(checked)
    known = with_outcome(checked, kind)
    return TaskRows(known, known.iloc[:0], kind)


def formula_survival(time, event, afp, scale):
    """Return predictions by the formula of the R script."""
    rate = np.exp(0.1 * (np.log(afp + 1) - 3)) / scale
    columns = {f"survival_{days}": np.exp(-days * rate) for days in HORIZONS}
    return as_sample(
        pd.DataFrame({"risk": np.log(rate), "time_days": time, "event": event, **columns})
    )


@pytest.fixture(scope="session")
def real_samples(clinical_tables):
    """The cohorts of the R script, by its names."""
    tcga = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    os = tcga.dropna(subset=["os_days", "os_event", "afp"])
    mvi = tcga.dropna(subset=["mvi", "afp"])
    tace = pd.read_csv(clinical_tables / "hcc_tace_seg" / "clinical.csv")
    event = "Death_1_StillAliveorLostToFU_0"
    tace = tace.dropna(subset=["OS", event, "AFP"])
    score = -1 + 0.4 * (np.log(mvi["afp"] + 1) - 3)
    return {
        "tcga_lihc": formula_survival(os["os_days"], os["os_event"], os["afp"], 2500),
        "hcc_tace_seg": formula_survival(7 * tace["OS"], tace[event], tace["AFP"], 1200),
        "tcga_lihc_mvi": as_sample(
            pd.DataFrame({"label": mvi["mvi"], "probability": 1 / (1 + np.exp(-score))})
        ),
    }


@pytest.fixture
def simulate():
    """Make a survival sample whose true log hazard is known, and predictions of it.

    Weibull proportional hazards like the phantom's; ``shift`` and ``stretch`` spoil the predicted
    log hazard.
    """

    def make(number, *, seed=0, shift=0.0, stretch=1.0, shape=1.2, horizons=(365, 730, 1095)):
        rng = np.random.default_rng(seed)
        log_hazard = rng.normal(scale=0.9, size=number)
        time = 1500 * (rng.exponential(size=number) / np.exp(log_hazard)) ** (1 / shape)
        end = rng.uniform(200, 2500, number)
        predicted = shift + stretch * log_hazard
        columns = {
            f"survival_{days}": np.exp(-((days / 1500) ** shape) * np.exp(predicted))
            for days in horizons
        }
        return as_sample(
            pd.DataFrame(
                {
                    "risk": predicted,
                    "time_days": np.ceil(np.minimum(time, end)),
                    "event": (time <= end).astype(float),
                    **columns,
                }
            )
        )

    return make


@pytest.fixture
def simulate_classes():
    """Make a two-class sample whose true probabilities are known, and predictions of them."""

    def make(number, *, seed=0, shift=0.0, stretch=1.0):
        rng = np.random.default_rng(seed)
        score = rng.normal(scale=1.5, size=number) - 0.3
        label = (rng.random(number) < 1 / (1 + np.exp(-score))).astype(float)
        predicted = 1 / (1 + np.exp(-(shift + stretch * score)))
        return as_sample(pd.DataFrame({"label": label, "probability": predicted}))

    return make

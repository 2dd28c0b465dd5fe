"""Tables of predictions whose truth is known, made on the spot."""

import numpy as np
import pandas as pd
import pytest
from drawn_tables import draw_cohort


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

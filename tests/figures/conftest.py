"""A small table of predictions, with two splits."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def predictions() -> pd.DataFrame:
    """OS and MVI of 60 train and 40 external patients."""
    rng = np.random.default_rng(6)
    log_hazard = rng.normal(size=100)
    time, end = rng.exponential(900 * np.exp(-log_hazard)), rng.uniform(200, 2000, 100)
    who = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(100)],
            "center": "I",
            "split": np.repeat(["external", "train"], [40, 60]),
            "fold": 0,
        }
    )
    os = who.assign(
        task="os", risk=log_hazard, time_days=np.ceil(np.minimum(time, end)), event=time <= end
    ).astype({"event": float})
    mvi = who.assign(
        task="mvi",
        label=(rng.normal(size=100) < log_hazard).astype(float),
        probability=1 / (1 + np.exp(-log_hazard)),
    )
    return pd.concat([os, mvi], ignore_index=True)

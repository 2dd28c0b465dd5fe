"""Tables of outcomes with the gaps and ties that real tables have."""

import numpy as np
import pandas as pd


def outcome_table(patients: int, *, seed: int = 0) -> pd.DataFrame:
    """Return a table with ties, missing labels, RFS <= OS, and three centers."""
    rng = np.random.default_rng(seed)
    death = rng.integers(30, 2000, patients).astype(float)
    recurrence = rng.integers(30, 2000, patients).astype(float)
    end = rng.integers(300, 1500, patients).astype(float)
    first = np.minimum(death, recurrence)
    table = pd.DataFrame(
        {
            "center": rng.choice(["I", "II", "VI"], patients),
            "os_days": np.minimum(death, end),
            "os_event": (death <= end).astype(float),
            "rfs_days": np.minimum(first, end),
            "rfs_event": (first <= end).astype(float),
            "mvi": rng.integers(0, 2, patients).astype(float),
            "afp_ng_ml": rng.choice([5.0, 400.0, np.nan], patients),
        },
        index=pd.Index([f"P{number:03d}" for number in range(patients)], name="patient_id"),
    )
    table.loc[rng.random(patients) < 0.1, "mvi"] = np.nan
    table.loc[rng.random(patients) < 0.1, ["rfs_days", "rfs_event"]] = np.nan
    return table

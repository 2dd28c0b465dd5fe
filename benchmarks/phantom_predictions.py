"""Predictions for phantom patients without their images, at the sizes of the published cohort."""

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.phantom.phantom_cohort import draw_tables
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.estimators.baselines import baseline_rows, listed_baseline
from mtl_hcc.estimators.features import PatientTables
from mtl_hcc.estimators.oracle import oracle_predictions

TASKS = {"os": "survival", "rfs": "survival", "mvi": "class"}
NOISE = 1.0
"""Standard deviation of what the pretended network adds to the true log hazard."""


def cohort(settings: PhantomSettings) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the table (by patient), the truth, and everybody's split in one fold."""
    patients, oracle = draw_tables(settings)
    table = patients.set_index("patient_id")
    splits = patients[["patient_id", "split"]].assign(fold=0)
    return table, oracle, splits


def four_models(settings: PhantomSettings) -> pd.DataFrame:
    """Return predictions of a pretended network, tumor size, AFP and the oracle.

    The network sees the true log hazard of death with noise; it and the clinical models are fitted
    on the train split (Cox and logistic regression).
    """
    table, oracle, splits = cohort(settings)
    truth = oracle.set_index("patient_id")["os_log_hazard"]
    noise = np.random.default_rng(settings.seed).normal(scale=NOISE, size=len(truth))
    table = table.assign(seen=truth + noise)
    models = {
        "network": {"seen": "linear"},
        "tumor size": {"tumor_diameter_mm": "log"},
        "AFP": {"afp_ng_ml": "log"},
    }
    tables = PatientTables(table)
    parts = [
        baseline_rows(name, listed_baseline(of), tables, splits, TASKS)
        for name, of in models.items()
    ]
    known = oracle[["patient_id", "os_log_hazard", "rfs_log_hazard", "mvi_probability"]]
    parts.append(oracle_predictions(known, table.reset_index().set_index("patient_id"), splits))
    return pd.concat(parts, ignore_index=True)

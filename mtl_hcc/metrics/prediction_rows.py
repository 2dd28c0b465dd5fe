"""The rows of ``predictions.csv`` for one task before a model fills in its prediction."""

from typing import Literal

import numpy as np
import pandas as pd


def prediction_rows(
    table: pd.DataFrame, splits: pd.DataFrame, task: str, kind: Literal["survival", "class"]
) -> pd.DataFrame:
    """Return one row per patient of ``splits`` with the outcome where it is known.

    Args:
        table: A cohort's table, indexed by ``patient_id``.
        splits: ``patient_id, fold, split``.
        task: Endpoint or class column.
        kind: ``"survival"`` reads ``<task>_days`` and ``<task>_event``, ``"class"`` ``<task>``.
    """
    known = splits[splits["patient_id"].isin(table.index)].reset_index(drop=True)
    patients = table.loc[known["patient_id"]].reset_index(drop=True)
    empty = pd.Series(np.nan, index=patients.index)
    survival = kind == "survival"
    return pd.DataFrame(
        {
            "patient_id": known["patient_id"],
            "center": patients.get("center", pd.Series("", index=patients.index)),
            "split": known["split"],
            "fold": known["fold"],
            "task": task,
            "risk": np.nan,
            "time_days": patients.get(f"{task}_days", empty) if survival else np.nan,
            "event": patients.get(f"{task}_event", empty) if survival else np.nan,
            "label": np.nan if survival else patients.get(task, empty),
            "probability": np.nan,
        }
    )

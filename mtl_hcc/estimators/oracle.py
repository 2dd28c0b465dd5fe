"""The phantom's truth, or what can be seen of it, as a model: the ceiling of every metric."""

import pandas as pd

from mtl_hcc.metrics.prediction_columns import ORACLE
from mtl_hcc.metrics.prediction_rows import prediction_rows


def oracle_predictions(
    oracle: pd.DataFrame, table: pd.DataFrame, splits: pd.DataFrame, *, model: str = ORACLE
) -> pd.DataFrame:
    """Return the true log hazards and probabilities as rows of ``predictions.csv``.

    Args:
        oracle: ``oracle.csv`` of the phantom: ``patient_id`` (column or index) and any of
            ``<endpoint>_log_hazard`` and ``<class>_probability``.
        table: The cohort's table, indexed by ``patient_id``.
        splits: ``patient_id, fold, split``.
        model: Name of the rows' model: of whoever knows these log hazards and probabilities.

    Returns:
        Rows of the patients that ``oracle`` knows.
    """
    truth = oracle.set_index("patient_id") if "patient_id" in oracle else oracle
    truth.index = truth.index.astype(str)
    known = splits[splits["patient_id"].isin(truth.index)]
    parts = []
    for column in map(str, truth.columns):
        task, _, quantity = column.partition("_")
        if quantity == "log_hazard" and f"{task}_days" in table:
            rows = prediction_rows(table, known, task, "survival")
            parts.append(rows.assign(risk=truth.loc[rows["patient_id"], column].to_numpy()))
        elif quantity == "probability" and task in table:
            rows = prediction_rows(table, known, task, "class")
            parts.append(rows.assign(probability=truth.loc[rows["patient_id"], column].to_numpy()))
    if not parts:
        return prediction_rows(table, splits.iloc[:0], "none", "survival").assign(model=model)
    return pd.concat(parts, ignore_index=True).assign(model=model)

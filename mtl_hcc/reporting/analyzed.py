"""Who was analyzed: one row per patient, with the split and the fold that the results speak of."""

import pandas as pd

FIRST = ("patient_id", "center", "split", "fold")


def analyzed_patients(table: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the clinical table of the patients who were analyzed, one row each.

    With several folds a patient has a split in each of them. The row says the split that the
    results are read from: the one outside ``train`` and ``validation`` if there is one (with
    k-fold ``test``, and ``fold`` is the fold in which it is so), else ``validation``.

    Args:
        table: The cohort's table; ``patient_id`` is a column or the index.
        splits: ``patient_id, fold, split``, a row per patient and fold.
    """
    order = {"train": 2, "validation": 1}
    rank = splits["split"].map(order).fillna(0)
    once = (
        splits.assign(rank=rank)
        .sort_values(["rank", "fold"], kind="stable")
        .drop_duplicates("patient_id")
        .set_index("patient_id")
    )
    table = table if "patient_id" in table else table.rename_axis("patient_id").reset_index()
    inside = table[table["patient_id"].isin(once.index)].drop_duplicates("patient_id")
    told = once.loc[inside["patient_id"], ["split", "fold"]].set_index(inside.index)
    inside = inside.assign(split=told["split"], fold=told["fold"])
    first = [name for name in FIRST if name in inside]
    return inside[[*first, *(name for name in inside if name not in first)]].reset_index(drop=True)


def patients_of_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return what predictions alone say about the patients: center and outcomes.

    Args:
        predictions: Checked; survival tasks give ``<task>_days`` and ``<task>_event``, classes
            ``<task>``.
    """
    patients = predictions.groupby("patient_id", sort=False)["center"].first().to_frame()
    for task, rows in predictions.groupby("task", sort=False):
        once = rows.groupby("patient_id", sort=False)[["time_days", "event", "label"]].first()
        if rows["risk"].notna().any():
            patients[f"{task}_days"], patients[f"{task}_event"] = once["time_days"], once["event"]
        else:
            patients[str(task)] = once["label"]
    return patients.reset_index()


def not_predicted(
    table: pd.DataFrame, patients: pd.DataFrame, quarantine: pd.DataFrame
) -> pd.DataFrame:
    """Return the patients of the clinical table of whom nothing else is known, as a quarantine.

    Args:
        table: The cohort's table.
        patients: The analyzed ones.
        quarantine: Those who were left out with a reason.
    """
    known = set(patients["patient_id"]) | set(quarantine["patient_id"].astype(str))
    left = [name for name in table["patient_id"].astype(str).unique() if name not in known]
    rows = [(name, "predict", "no prediction") for name in left]
    return pd.DataFrame(rows, columns=["patient_id", "step", "reason"], dtype=str)

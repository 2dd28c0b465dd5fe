"""What a report is about: the tables that were found, why others were not, and who was analyzed."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.estimators.fitted_rows import fitted_on_train
from mtl_hcc.metrics.predictions import check_predictions

NETWORK = "network"
"""The model's name in a run that stands alone, beside its clinical baselines."""
TABLE_ESTIMATOR = "table estimator"
"""Likewise, where an estimator on tables was trained."""


def own_model(config: Container[str]) -> str:
    """Return the name of the model that a run trained.

    Args:
        config: Of the run.
    """
    return TABLE_ESTIMATOR if "estimator" in config else NETWORK


FIRST = ("patient_id", "center", "split", "fold")


@dataclass(frozen=True)
class ReportedStudy:
    """What one or more runs, or files of predictions, left for a report.

    Attributes:
        name: Title of the page.
        tables: Name to table, as figures and tables name their arguments: always ``predictions``
            (checked, with ``model``; the first model is the one that the report is about), and of
            ``models`` (where each was fitted), ``history``, ``patients``, ``quarantine`` and
            ``ablation`` what there is. Without ``models`` nothing is claimed about the fitting.
        missing: Name of a table to the reason why it is not there, with the remedy.
        config: The complete config of the first run; empty without a run.
        versions: Library to version, as the run wrote them.
        runs: The run folders.
        networks: Names of the models that the report is about; the others stand beside them.
        remarks: What looks odd in the input, a sentence each.
    """

    name: str
    tables: Mapping[str, pd.DataFrame]
    missing: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[Path, ...] = ()
    networks: tuple[str, ...] = (NETWORK,)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the predictions, once for all figures and tables."""
        checked = check_predictions(self.tables["predictions"])
        object.__setattr__(self, "tables", {**self.tables, "predictions": checked})

    @property
    def predictions(self) -> pd.DataFrame:
        """The predictions of all models."""
        return self.tables["predictions"]

    @property
    def ours(self) -> bool:
        """Whether our own training made the models, so that it is known where they were fitted."""
        return fitted_on_train(self.tables.get("models"))

    def setting(self, name: str, default: int, asked: int | None) -> int:
        """Return a setting of the statistics: as asked for, else of the run, else the default."""
        of_run = self.config.get(name)
        return next(value for value in (asked, of_run, default) if value is not None)


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

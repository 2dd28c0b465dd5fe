"""On whom a regression is fitted: train rows for clinical variables, unseen rows for the network.

On its own train rows a network looks better than it is, so its worth beside clinical variables is
told on patients that it never saw. Whether a model saw a row is known of our own runs only: they
come with the table ``models`` (``model, fitted_on``); nothing is claimed about anybody else's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.metrics.predictions import check_predictions, task_kind
from mtl_hcc.split_names import TRAIN

UNSEEN = ("test", "external")
"""Splits that nothing was chosen on."""
SMALLEST = 1e-6
"""Probabilities are kept so far from 0 and 1, so that their log odds are finite."""


@dataclass(frozen=True)
class NetworkScore:
    """The network's prediction of one task as a covariate.

    Attributes:
        values: By ``patient_id``: log hazard or log odds, less the mean, in standard deviations.
        mean, spread: Of the log odds over these patients (log hazards are centered by fold).
        splits: Names of the splits that the patients are from.
    """

    values: "pd.Series[float]"
    mean: float
    spread: float
    splits: tuple[str, ...]


def train_patients(
    patients: pd.DataFrame, predictions: pd.DataFrame | None
) -> tuple[pd.DataFrame, str]:
    """Return the train patients and what they are, in words.

    With cross-validation every patient is in the train rows of some fold: all are returned.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions, or ``None``; its splits are those of the run.
    """
    if predictions is not None:
        rows = predictions[["patient_id", "split"]].drop_duplicates()
        if rows["patient_id"].duplicated().any():
            inside = patients["patient_id"].astype(str).isin(rows["patient_id"].astype(str))
            return patients[inside], "all patients of the cross-validation"
        train = set(rows.loc[rows["split"] == TRAIN, "patient_id"].astype(str))
        if train:
            return patients[patients["patient_id"].astype(str).isin(train)], "train rows"
    if "split" in patients and (patients["split"] == TRAIN).any():
        return patients[patients["split"] == TRAIN], "train rows"
    return patients, "all patients (no train split is known)"


def unseen_splits(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the splits that the network never saw: test and external, else all but train."""
    splits = [str(split) for split in predictions["split"].unique()]
    return tuple(s for s in splits if s in UNSEEN) or tuple(s for s in splits if s != TRAIN)


def fitted_models(models: Iterable[str]) -> pd.DataFrame:
    """Return the table of models that were all fitted on train: those of a run of ours."""
    return pd.DataFrame({"model": list(models), "fitted_on": TRAIN})


def fitted_on_train(models: pd.DataFrame | None) -> bool:
    """Tell whether it is known that the models were fitted on the train rows, and on no others."""
    return models is not None and len(models) > 0 and bool((models["fitted_on"] == TRAIN).all())


def fitted_in_words(models: pd.DataFrame | None) -> str:
    """Say where the models were fitted, or that it is not known."""
    if fitted_on_train(models):
        return "All models were fitted on train."
    return "Where the models were fitted is not known: only their predictions were given."


def in_words(splits: Sequence[str], models: pd.DataFrame | None = None) -> str:
    """Say which rows those are, and how new they were to the network, where that is known."""
    if not fitted_on_train(models):
        return f"{' and '.join(splits)} rows; whether the model was fitted on them is not known"
    names = f"{' and '.join(splits)} rows, which the network "
    if "validation" in splits:
        return names + "was not trained on, though they chose its best epoch"
    return names + "never saw"


def network_score(predictions: pd.DataFrame, task: str) -> NetworkScore | None:
    """Return the first model's prediction of a task for unseen patients; ``None`` without any.

    A patient that several folds predict gets the mean. Log hazards of a fold are centered, since
    the models of two folds have two zeros.

    Args:
        predictions: Table of predictions.
        task: ``os``, ``rfs`` or ``mvi``.
    """
    table = check_predictions(predictions)
    rows = table[(table["model"] == table["model"].iloc[0]) & (table["task"] == task)]
    if rows.empty or task_kind(rows) == "multiclass":
        return None
    splits = unseen_splits(rows)
    rows = rows[rows["split"].isin(splits)]
    if task_kind(rows) == "survival":
        scores = rows["risk"] - rows.groupby("fold")["risk"].transform("mean")
    else:
        bounded = rows["probability"].clip(SMALLEST, 1 - SMALLEST)
        scores = np.log(bounded / (1 - bounded))
    by_patient = scores.groupby(rows["patient_id"]).mean()
    mean, spread = float(by_patient.mean()), float(by_patient.std())
    if len(by_patient) < 2 or not spread > 0:
        return None
    return NetworkScore((by_patient - mean) / spread, mean, spread, splits)

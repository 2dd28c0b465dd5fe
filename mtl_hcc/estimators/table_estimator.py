"""TableEstimator: what `fit` trains on a table of features, one scikit-learn pipeline per task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.estimators.features import Columns, PatientTables, TableFeatures
from mtl_hcc.metrics.prediction_rows import prediction_rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

TaskKind = Literal["survival", "class"]
Floats = npt.NDArray[np.float64]
HORIZONS_DAYS = (365, 730, 1095, 1825)
"""Of the columns ``survival_<days>``."""
SETTING = "estimator.features"


class NoFitError(ValueError):
    """A task cannot be fitted; the message is the reason, as one clause."""


@dataclass(frozen=True)
class TrainOutcome:
    """What training patients became, every one of them known.

    Attributes:
        kind: Of the task.
        label: (patient,) class, or 1 where the event occurred and 0 where it did not.
        time_days: (patient,) of a survival task; None for a class.
    """

    kind: TaskKind
    label: npt.NDArray[np.int64]
    time_days: Floats | None = None

    def of(self, rows: npt.NDArray[Any]) -> "TrainOutcome":
        """Return some patients."""
        time = None if self.time_days is None else self.time_days[rows]
        return TrainOutcome(self.kind, self.label[rows], time)


@dataclass(frozen=True)
class FittedTask:
    """One task after training.

    Attributes:
        kind: ``survival`` or ``class``.
        columns: What is read.
        features: Names of the features that the pipeline takes: those that vary in train.
        pipeline: Imputation, scaling and model, fitted on train.
    """

    kind: TaskKind
    columns: Columns
    features: tuple[str, ...]
    pipeline: "Pipeline"

    def predict(self, tables: PatientTables, *, setting: str = SETTING) -> dict[str, Floats]:
        """Return the columns of ``predictions.csv`` for any patients, (patient,) each.

        Args:
            tables: Of the patients.
            setting: Name of the setting that lists the columns, for messages.
        """
        read = self.columns.read(tables, setting=setting)[list(self.features)]
        scaled = self.pipeline[:-1].transform(read.to_numpy(np.float64))
        # Patients of equal covariates tie, and only equal risks do: each kind of patient is
        # predicted once, since the rows of a matrix product may differ in their last bit.
        kinds, of_patient = np.unique(scaled, axis=0, return_inverse=True)
        model = self.pipeline[-1]
        if self.kind == "survival":
            found = {"risk": model.predict(kinds), **_survival(model, kinds)}
        else:
            found = _probabilities(model, kinds)
        return {name: values[of_patient.reshape(-1)] for name, values in found.items()}


class TableEstimator(ABC):
    """Features and models on a table: Lightning is not needed to fit it.

    Args:
        features: What is read.
    """

    def __init__(self, *, features: TableFeatures) -> None:
        self.features = features

    @abstractmethod
    def pipeline(self, features: Floats, outcome: TrainOutcome, *, seed: int) -> "Pipeline":
        """Return imputation, scaling and model, fitted.

        Args:
            features: (patient, feature) of the labeled training patients, NaN where missing.
            outcome: Theirs.
            seed: Of what is drawn.

        Raises:
            NoFitError: With the reason.
        """

    def fit(
        self,
        train: PatientTables,
        task: str,
        outcome: pd.DataFrame,
        *,
        kind: TaskKind,
        seed: int = 0,
        setting: str = SETTING,
    ) -> FittedTask:
        """Fit one task on training patients; it is given no others.

        Args:
            train: The training patients.
            task: ``os``, ``rfs``, ``mvi`` or ``mvi_grade``.
            outcome: Their rows of ``predictions.csv``, in the same order; empty where unknown.
            kind: Of the task.
            seed: Of what is drawn.
            setting: Name of the setting that lists the columns, for messages.

        Raises:
            NoFitError: With the reason.
        """
        labels = ["time_days", "event"] if kind == "survival" else ["label"]
        known = outcome[labels].notna().all(axis=1).to_numpy()
        if not known.any():
            raise NoFitError("no labeled patient in train")
        columns = self.features.choose(train, task)
        read = columns.read(train, setting=setting)[known]
        kept = _varying(read)
        if not kept:
            raise NoFitError("no covariate varies in train")
        rows = outcome[known]
        if kind == "survival":
            time = rows["time_days"].to_numpy(np.float64)
            target = TrainOutcome(kind, rows["event"].to_numpy(np.int64), time)
        else:
            target = TrainOutcome(kind, rows["label"].to_numpy(np.int64))
        fitted = self.pipeline(read[kept].to_numpy(np.float64), target, seed=seed)
        return FittedTask(kind, columns, tuple(kept), fitted)


def estimator_rows(
    estimator: TableEstimator,
    tables: PatientTables,
    splits: pd.DataFrame,
    tasks: Mapping[str, TaskKind],
    *,
    seed: int = 0,
    setting: str = SETTING,
) -> tuple[pd.DataFrame, dict[str, FittedTask], list[str]]:
    """Fit one fold on its ``train`` split and predict every patient of it.

    Args:
        estimator: What is fitted.
        tables: Of all patients.
        splits: ``patient_id, fold, split`` of one fold.
        tasks: Task to its kind; a task is an endpoint (``os``: columns ``os_days``, ``os_event``)
            or a class column (``mvi``).
        seed: Of what is drawn.
        setting: Name of the setting that lists the columns, for messages.

    Returns:
        Rows as in ``predictions.csv``; the fitted tasks; and why others could not be fitted.

    Raises:
        TableError: A column or level is not as listed.
    """
    parts: list[pd.DataFrame] = []
    fitted: dict[str, FittedTask] = {}
    reasons: list[str] = []
    for task, kind in tasks.items():
        rows = prediction_rows(tables.clinical, splits, task, kind)
        everybody = tables.of(pd.Index(rows["patient_id"]))
        in_train = (rows["split"] == "train").to_numpy()
        train = everybody.of(everybody.clinical.index[in_train])
        try:
            fitted[task] = estimator.fit(
                train, task, rows[in_train], kind=kind, seed=seed, setting=setting
            )
        except NoFitError as error:
            reasons.append(f"{task}: {error}")
            continue
        parts.append(rows.assign(**fitted[task].predict(everybody, setting=setting)))
    empty = prediction_rows(tables.clinical, splits.iloc[:0], "none", "survival")
    return pd.concat(parts, ignore_index=True) if parts else empty, fitted, reasons


def _varying(features: pd.DataFrame) -> list[str]:
    """Return the features that vary in train once filled, less those that repeat another."""
    filled = features.fillna(features.median()).fillna(0.0)
    varying = filled.loc[:, filled.nunique() > 1]
    return [str(name) for name in varying.T.drop_duplicates().index]


def _survival(model: Any, scaled: Floats) -> dict[str, Floats]:
    """Return ``survival_<days>``; beyond the follow-up of train the curve stays where it was."""
    curves = model.predict_survival_function(scaled)
    found = {}
    for days in HORIZONS_DAYS:
        values = [curve(np.clip(days, *curve.domain)) for curve in curves]
        found[f"survival_{days}"] = np.asarray(values, dtype=np.float64)
    return found


def _probabilities(model: Any, scaled: Floats) -> dict[str, Floats]:
    """Return ``probability``, or ``probability_<k>`` with more than two classes."""
    chances = model.predict_proba(scaled)
    classes = [int(k) for k in model.classes_]
    if set(classes) == {0, 1}:
        return {"probability": chances[:, classes.index(1)]}
    by_class = dict(zip(classes, chances.T, strict=True))
    none = np.zeros(len(scaled))
    return {f"probability_{k}": by_class.get(k, none) for k in range(max(classes) + 1)}

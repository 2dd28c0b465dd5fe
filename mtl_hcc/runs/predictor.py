"""A trained model of either kind, as `predict` sees it: patients in, rows of predictions out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mtl_hcc.command_line.plain_yaml import read_plain_yaml
from mtl_hcc.covariates.reader import CovariateKind
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import CheckpointError
from mtl_hcc.estimators.exported import DESCRIPTION, PIPELINES, read_estimator
from mtl_hcc.estimators.table_estimator import FittedTask
from mtl_hcc.metrics.prediction_rows import prediction_rows as rows_to_fill
from mtl_hcc.runs.checkpoint import CONFIG, WEIGHTS, load_model
from mtl_hcc.runs.prediction_table import predict_patients, prediction_rows
from mtl_hcc.runs.train_fold import batches
from mtl_hcc.runs.train_tables import covariates_of, in_order, patient_tables
from mtl_hcc.training.module import MultiTaskModule


class Predictor(ABC):
    """A trained model.

    Attributes:
        config: Its complete config, as plain values.
        covariates: Columns of the cohort's table that it reads, with their kinds; None for those
            under ``data`` of its config.
        looks_at_images: Whether it is a network, to which patients can be shown turned.
    """

    config: dict[str, Any]
    covariates: Mapping[str, CovariateKind] | None = None
    looks_at_images = False

    @property
    def rotations(self) -> int:
        """The rotations that its own predictions, and so its baseline hazards, are the mean of."""
        return int(self.config["data"].get("prediction_rotations", 1))

    @abstractmethod
    def predict(self, datamodule: CohortDataModule, *, device: str | None = None) -> pd.DataFrame:
        """Return ``predictions.csv`` of every patient.

        The column ``out_of_range`` holds what the model itself found to remark of a patient.

        Args:
            datamodule: The patients, after ``setup``.
            device: Where to compute; a GPU if there is one by default.
        """


class NetworkPredictor(Predictor):
    """A network with its weights."""

    looks_at_images = True

    def __init__(self, module: MultiTaskModule, config: dict[str, Any]) -> None:
        self.module, self.config = module, config

    def predict(self, datamodule: CohortDataModule, *, device: str | None = None) -> pd.DataFrame:
        """Run the network over every patient, turned as ``data.prediction_rotations`` asks for."""
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        rotations = len(datamodule.rotations)
        found = predict_patients(
            self.module, batches(datamodule), device=device, rotations=rotations
        )
        rows = prediction_rows(self.module, *found)
        remarks = found[-1].set_index("patient_id")["remark"]
        return rows.assign(out_of_range=rows["patient_id"].map(remarks))


class TablePredictor(Predictor):
    """A fitted estimator on tables."""

    def __init__(self, fitted: dict[str, FittedTask], config: dict[str, Any]) -> None:
        self.fitted, self.config = fitted, config
        self.covariates = covariates_of(fitted)

    def predict(self, datamodule: CohortDataModule, *, device: str | None = None) -> pd.DataFrame:
        """Predict every task from the tables of the patients."""
        tables = patient_tables(datamodule)
        splits = datamodule.splits.rename("split").reset_index().assign(fold=0)
        parts = []
        for name, task in self.fitted.items():
            rows = rows_to_fill(tables.clinical, splits, name, task.kind)
            parts.append(rows.assign(**task.predict(tables.of(pd.Index(rows["patient_id"])))))
        return in_order(pd.concat(parts, ignore_index=True)).assign(out_of_range="")


def load_predictor(path: Path, *, trusted: Sequence[str] = ()) -> Predictor:
    """Load a trained model of the kind that the folder holds. Nothing in it is executed.

    Args:
        path: A run folder, its ``model/``, an exported folder, or a training checkpoint.
        trusted: Packages besides mtl_hcc whose classes its config may name: their code is run.

    Raises:
        CheckpointError: Absent, damaged, of another hand, or of two kinds at once.
    """
    folder = exported_folder(path)
    if not holds_table_estimator(folder):
        module, config = load_model(path, trusted=trusted)
        return NetworkPredictor(module, config)
    if (folder / WEIGHTS).exists():
        raise CheckpointError(
            f"it holds a network ({WEIGHTS}) and a table estimator ({PIPELINES})",
            where=str(folder),
            expected="one model in a folder",
            remedy="Name the model/ folder of the run that you mean, and keep them apart.",
        )
    fitted = read_estimator(folder)
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"no {CONFIG} in the folder", where=str(folder), remedy="Copy the whole folder again."
        )
    config = read_plain_yaml(folder / CONFIG, error=CheckpointError, remedy="Copy it again.")
    return TablePredictor(fitted, config)


def exported_folder(path: Path) -> Path:
    """Return the folder of the exported model: ``model/`` of a run folder, or the path itself.

    Args:
        path: As given by a user.
    """
    model = path / "model"
    named = (WEIGHTS, DESCRIPTION, PIPELINES)
    return model if any((model / name).is_file() for name in named) else path


def holds_table_estimator(folder: Path) -> bool:
    """Tell whether a folder holds an estimator on tables, or a part of one.

    Args:
        folder: The exported model's.
    """
    return any((folder / name).is_file() for name in (DESCRIPTION, PIPELINES))

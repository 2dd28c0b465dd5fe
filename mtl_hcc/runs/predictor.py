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
from mtl_hcc.reporting.run_folder import member_folders
from mtl_hcc.runs.checkpoint import CONFIG, WEIGHTS, load_model
from mtl_hcc.runs.ensemble import mean_of_members
from mtl_hcc.runs.prediction_table import predict_patients, prediction_rows
from mtl_hcc.runs.train_fold import batches
from mtl_hcc.runs.train_tables import covariates_of, in_order, patient_tables
from mtl_hcc.training.module import MultiTaskModule

SHOWN = ("preparation", "phases", "covariates", "measured", "prediction_rotations")
"""Settings under ``data`` that decide what a model is shown of a patient."""


class Predictor(ABC):
    """A trained model, or several that predict as their mean.

    Attributes:
        config: Its complete config, as plain values.
        path: What it was loaded from.
        covariates: Columns of the cohort's table that it reads, with their kinds; None for those
            under ``data`` of its config.
        looks_at_images: Whether it is a network, to which patients can be shown turned.
    """

    config: dict[str, Any]
    path: Path
    covariates: Mapping[str, CovariateKind] | None = None
    looks_at_images = False

    @property
    def rotations(self) -> int:
        """The rotations that its own predictions, and so its baseline hazards, are the mean of."""
        return int(self.config["data"].get("prediction_rotations", 1))

    @property
    def members(self) -> Sequence["Predictor"]:
        """The models that it is the mean of."""
        return [self]

    @property
    def folds(self) -> list[int]:
        """Folds of the split whose training patients it has learned from."""
        return [int(member.config["data"].get("fold", 0)) for member in self.members]

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

    def __init__(self, module: MultiTaskModule, config: dict[str, Any], path: Path) -> None:
        self.module, self.config, self.path = module, config, path

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

    def __init__(self, fitted: dict[str, FittedTask], config: dict[str, Any], path: Path) -> None:
        self.fitted, self.config, self.path = fitted, config, path
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


class EnsemblePredictor(Predictor):
    """Several models of one kind that are shown the same: their mean.

    Args:
        members: The models.

    Raises:
        CheckpointError: They are of two kinds, or are shown different images or columns.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        first = members[0]
        self._members, self.config, self.path = members, first.config, first.path
        self.looks_at_images = first.looks_at_images
        for member in members[1:]:
            self._check(member)

    @property
    def members(self) -> Sequence[Predictor]:
        """The models that it is the mean of."""
        return self._members

    def predict(self, datamodule: CohortDataModule, *, device: str | None = None) -> pd.DataFrame:
        """Return the means over the members; a remark of any of them stays."""
        tables = [member.predict(datamodule, device=device) for member in self.members]
        remarks = zip(*(table["out_of_range"] for table in tables), strict=True)
        said = ["; ".join(dict.fromkeys(filter(None, one))) for one in remarks]
        return mean_of_members(tables).assign(out_of_range=said)

    def _check(self, member: Predictor) -> None:
        """Raise unless a member can be shown what the first one is shown."""
        first = self.members[0]
        differ = [name for name in SHOWN if _shown(member, name) != _shown(first, name)]
        if type(member) is type(first) and not differ:
            return
        raise CheckpointError(
            f"other settings ({', '.join(f'data.{name}' for name in differ)}) than those of "
            f"{first.path}"
            if differ
            else f"it is a model of another kind than {first.path}",
            where=str(member.path),
            expected="models that see the same of a patient, or they cannot be averaged here",
            remedy="Predict with each on its own (--checkpoint with one path).",
        )


def _shown(model: Predictor, name: str) -> Any:
    """Return a setting that decides what a model is shown of a patient."""
    return model.rotations if name == "prediction_rotations" else model.config["data"].get(name)


def load_predictor(paths: Sequence[Path], *, trusted: Sequence[str] = ()) -> Predictor:
    """Load one trained model, or several that predict as their mean. Nothing in them is executed.

    Args:
        paths: Run folders, their ``model/``, exported folders, or training checkpoints. A run of
            several folds or seeds stands for all of its models.
        trusted: Packages besides mtl_hcc whose classes a config may name: their code is run.

    Raises:
        CheckpointError: Absent, damaged, of another hand, or of two kinds at once.
    """
    named = [member for path in paths for member in _models_of(path)]
    for place, path in enumerate(named):
        if path in named[:place]:
            raise CheckpointError(
                "it is named twice, and would count twice in the mean",
                where=str(path),
                remedy="Name each model once.",
            )
    models = [_load(path, trusted) for path in named]
    return models[0] if len(models) == 1 else EnsemblePredictor(models)


def _models_of(path: Path) -> list[Path]:
    """Return the folders of a run's models where it has several, or the path itself."""
    members = [] if exported_folder(path) != path else member_folders(path)
    absent = [one for one in members if exported_folder(one) == one]
    if absent:
        raise CheckpointError(
            f"{len(absent)} of its {len(members)} networks are not trained, e.g. {absent[0]}",
            where=str(path),
            expected="a run that has ended, whose networks predict as their mean",
            remedy=f"Go on with it: python -m mtl_hcc.fit --config {path / CONFIG} --ckpt_path "
            "last; or name the networks that you want.",
        )
    return members or [path]


def _load(path: Path, trusted: Sequence[str]) -> Predictor:
    """Load a trained model of the kind that the folder holds."""
    folder = exported_folder(path)
    if not holds_table_estimator(folder):
        module, config = load_model(path, trusted=trusted)
        return NetworkPredictor(module, config, path)
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
    return TablePredictor(fitted, config, path)


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

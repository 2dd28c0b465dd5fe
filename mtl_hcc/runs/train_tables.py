"""Training of table estimators: every fold, its predictions, and the exported model."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.loggers import WandbLogger

from mtl_hcc.atomic import remove_leftovers, write_bytes
from mtl_hcc.command_line.config import (
    config_text,
    instantiate,
    plain_config,
    settled_config,
)
from mtl_hcc.covariates.reader import CovariateKind
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.prepared_cohort import SPLITS
from mtl_hcc.data.splits.split_checks import check_splits
from mtl_hcc.data.splits.splits_csv import read_splits
from mtl_hcc.data.training_ranges import training_ranges, write_ranges
from mtl_hcc.errors import ConfigError, TrainingError
from mtl_hcc.estimators.baselines import check_baselines
from mtl_hcc.estimators.exported import write_estimator
from mtl_hcc.estimators.features import PatientTables
from mtl_hcc.estimators.table_estimator import FittedTask, TaskKind, estimator_rows
from mtl_hcc.patient import SURVIVAL_ENDPOINTS
from mtl_hcc.runs.run_claim import CONFIG, fold_folders, keep_earlier_run
from mtl_hcc.runs.run_record import record_beginning, state_of
from mtl_hcc.tracking.wandb_run import close, log_model, wandb_logger


@dataclass
class TableFold:
    """What a fold leaves: its data, its predictions, and what was fitted."""

    datamodule: CohortDataModule
    predictions: pd.DataFrame
    fitted: dict[str, FittedTask]
    wandb: list[WandbLogger] = field(default_factory=list)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Empty: nothing is learned epoch by epoch."""

    @property
    def tasks(self) -> dict[str, tuple[str, TaskKind]]:
        """Task to the endpoint that it predicts, and its kind."""
        return {name: (name, task.kind) for name, task in self.fitted.items()}


def train_tables(parser: ArgumentParser, config: Namespace, run: Path) -> list[TableFold]:
    """Fit every fold; nothing is written before all of them went well.

    With ``config.repeat`` ``never`` a run that is finished in its folder is not fitted again.

    Args:
        parser: That parsed the config.
        config: The parsed config, with ``estimator``.
        run: The run folder; an earlier run there is moved aside.

    Raises:
        ConfigError: Something is to be resumed.
        TrainingError: A task cannot be fitted.
    """
    if config.ckpt_path is not None:
        raise ConfigError(
            f"ckpt_path is {config.ckpt_path}, but there is nothing to resume: a table estimator "
            "is fitted at once",
            where="--ckpt_path",
            remedy="Leave it out. The run is then fitted anew; an earlier one is moved aside.",
        )
    first: CohortDataModule = instantiate(parser, config).data
    first.prepare_data()
    settled = settled_config(parser, config)
    if config.repeat == "never" and state_of(run, settled) == "finished":
        return []
    folders = fold_folders(read_splits(Path(config.data.store) / SPLITS), run)
    finished = {number: _fit_fold(parser, config, fold=number) for number in folders}
    check_baselines(config.baselines, finished[min(finished)].datamodule.table)
    keep_earlier_run(run)
    first.prepared.begin_run(run, goes_on=False)
    record_beginning(run, settled)
    plain = plain_config(parser, config)
    write_bytes(run / CONFIG, config_text(plain).encode())
    for number, folder in folders.items():
        fold = finished[number]
        remove_leftovers(folder / "model")
        write_estimator(fold.fitted, folder / "model")
        of_fold = {**plain, "data": {**plain["data"], "fold": number}}
        write_bytes(folder / "model" / CONFIG, config_text(of_fold).encode())
        ranges = training_ranges(fold.datamodule, covariates_of(fold.fitted))
        write_ranges(ranges, folder / "model")
        fold.wandb = wandb_logger(config, folder, plain, part=folder.name)
        for logger in fold.wandb:
            log_model(logger, folder / "model")
        if len(folders) > 1:
            close(fold.wandb)
    return list(finished.values())


def patient_tables(datamodule: CohortDataModule) -> PatientTables:
    """Return what is known of the patients of a cohort, in tables.

    Args:
        datamodule: After ``setup``.
    """
    table, quality = datamodule.table, datamodule.quality
    measured = None if quality is None else quality.loc[table.index]
    return PatientTables(table, measured, tuple(datamodule.phases))


def covariates_of(fitted: dict[str, FittedTask]) -> dict[str, CovariateKind]:
    """Return the clinical columns that any task reads, with their kinds.

    Args:
        fitted: Task to what was fitted.
    """
    return {name: kind for task in fitted.values() for name, kind in task.columns.clinical.items()}


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of their tasks, and whole numbers, as networks have them.

    Args:
        rows: Of ``predictions.csv``.
    """
    names = [str(name) for name in rows]
    survival = [name for name in names if name.startswith("survival_")]
    classes = [name for name in names if name.startswith("probability")]
    columns = ["patient_id", "center", "split", "fold", "task"]
    if survival:
        columns += ["risk", "time_days", "event", *survival]
    if rows[classes].notna().any(axis=None):
        columns += ["label", *classes]
    kinds = {name: "Int64" for name in ("event", "label") if name in columns}
    return rows[columns].astype(kinds)


def _fit_fold(parser: ArgumentParser, config: Namespace, *, fold: int) -> TableFold:
    """Fit one fold on its training split and predict everybody."""
    config = config.clone()
    config.data.fold = fold
    parts = instantiate(parser, config)
    datamodule: CohortDataModule = parts.data
    datamodule.setup("predict")
    check_splits(
        datamodule.splits, datamodule.table, datamodule.endpoints, fold=fold, needed=("train",)
    )
    kinds: dict[str, TaskKind] = {
        name: "survival" if name in SURVIVAL_ENDPOINTS else "class" for name in datamodule.endpoints
    }
    splits = datamodule.splits.rename("split").reset_index().assign(fold=fold)
    rows, fitted, reasons = estimator_rows(
        parts.estimator, patient_tables(datamodule), splits, kinds, seed=config.seed
    )
    if reasons:
        raise TrainingError(
            "; ".join(reasons),
            where=f"estimator, fold {fold}",
            expected="patients, events and covariates enough to fit every endpoint",
            remedy="Take the endpoint out of data.endpoints, take fewer folds, or set one "
            "estimator.ridge.",
        )
    return TableFold(datamodule, in_order(rows), fitted)

"""The results of a run: predictions and metrics of its model, of baselines and ceilings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jsonargparse import Namespace
from pytorch_lightning.loggers import WandbLogger
from rich.table import Table

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.phantom.visible import SHOWN_IN, visible_scores
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.estimators.baselines import (
    baseline_rows,
    listed_baseline,
    strong_rows,
    usable_baselines,
)
from mtl_hcc.estimators.fitted_rows import fitted_models
from mtl_hcc.estimators.oracle import oracle_predictions
from mtl_hcc.figures import FIGURES
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS, evaluate_predictions
from mtl_hcc.metrics.prediction_columns import TRUTHS, VISIBLE
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.results_table import results_table
from mtl_hcc.patient import empty_quarantine
from mtl_hcc.reporting.figure_files import drawn_figures
from mtl_hcc.reporting.reported_study import analyzed_patients, own_model
from mtl_hcc.reporting.run_folder import BASELINES, PATIENTS, PREDICTIONS, QUARANTINE, read_csv
from mtl_hcc.runs.train_fold import TrainedFold
from mtl_hcc.runs.train_tables import TableFold, patient_tables
from mtl_hcc.spreadsheet_cells import csv_bytes
from mtl_hcc.tracking.wandb_run import close, log_tables_and_figures

ORACLE_FILE = "oracle.csv"
Fold = TrainedFold | TableFold
"""A trained fold of either kind: only its rows, tasks and patients are looked at here."""


@dataclass
class RunResult:
    """What a run found.

    Attributes:
        model: Name of the run's own model in the tables.
        tables: Name to table, as figures name their arguments: ``predictions`` (of the run's own
            model, the baselines and the oracle, by ``model``), ``metrics``, ``history``,
            ``models`` (where each was fitted), ``patients`` and ``quarantine``.
        table: The table that is printed.
        bootstraps: Resamples of the patients, for the figures as for the metrics.
    """

    model: str
    tables: dict[str, pd.DataFrame]
    table: Table
    bootstraps: int = 1000

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of all models."""
        return self.tables["metrics"]


def evaluate_run(config: Namespace, folds: Sequence[Fold], run: Path) -> RunResult:
    """Write the tables of a run, with all that a report needs: the folder can be moved alone.

    ``predictions.csv``, ``baselines.csv``, ``metrics.csv``, ``patients.csv`` (who was analyzed,
    with clinical columns) and ``quarantine.csv`` (who was left out, and why).

    Args:
        config: With ``baselines``, ``bootstraps``, ``seed`` and ``data.store``.
        folds: The trained folds.
        run: The run folder.
    """
    predictions = pd.concat([fold.predictions for fold in folds], ignore_index=True)
    _write(predictions, run / PREDICTIONS)
    patients = analyzed_patients(folds[0].datamodule.table, _splits(folds))
    quarantine = _quarantine(Path(config.data.store))
    _write(patients, run / PATIENTS)
    _write(quarantine, run / QUARANTINE)
    references = pd.concat(
        [reference_predictions(config, folds), _oracle(folds)], ignore_index=True
    )
    if len(references):
        _write(references, run / BASELINES)
    own = own_model(config.as_dict())
    everything = check_predictions(  # once for metrics and figures
        pd.concat([predictions.assign(model=own), references], ignore_index=True)
    )
    metrics = evaluate_predictions(
        everything, bootstraps=config.bootstraps, seed=config.seed, progress=True
    )
    _write(metrics, run / "metrics.csv")
    tables = {
        "predictions": everything,
        "metrics": metrics,
        "models": fitted_models(m for m in everything["model"].unique() if m not in TRUTHS),
        "patients": patients,
        "quarantine": quarantine,
    }
    histories = [f.history.assign(fold=f.datamodule.fold) for f in folds if len(f.history)]
    if histories:
        tables["history"] = pd.concat(histories, ignore_index=True)
    return RunResult(own, tables, results_table(metrics), config.bootstraps)


def show_in_wandb(loggers: Sequence[WandbLogger], result: RunResult) -> None:
    """Add the final tables and figures to W&B, and close the run there.

    A figure that cannot be drawn is logged with its reason: the run has been trained and written.

    Args:
        loggers: None (W&B is disabled) or one.
        result: Of the whole run.
    """
    predictions = result.tables["predictions"]
    of_network = predictions["model"] == result.model
    shown = {
        "metrics": result.metrics,
        "predictions": predictions[of_network].drop(columns="model").dropna(axis=1, how="all"),
    }
    sources = {**result.tables, "bootstraps": result.bootstraps}
    for logger in loggers:
        log_tables_and_figures(logger, shown, drawn_figures(FIGURES, sources))
        logger.experiment.summary.update(_final_values(result.metrics, result.model))
        close(loggers)


def _final_values(metrics: pd.DataFrame, model: str) -> dict[str, float]:
    """Return the model's pooled values: ``external/auc_mvi``, ``external/auc_td_365_os``."""
    rows = metrics[(metrics["model"] == model) & (metrics["center"] == ALL_CENTERS)]
    rows = rows.dropna(subset=["value"])
    horizon = ["" if pd.isna(days) else f"_{days:.0f}" for days in rows["horizon_days"]]
    names = rows["split"] + "/" + rows["metric"] + horizon + "_" + rows["task"]
    return dict(zip(names, rows["value"].astype(float), strict=True))


def reference_predictions(config: Namespace, folds: Sequence[Fold]) -> pd.DataFrame:
    """Return the baselines' predictions, fitted on each fold's training split.

    Args:
        config: With ``baselines``, ``strong_baselines`` and ``seed``.
        folds: The trained folds, whose splits are used again.
    """
    # The baselines' tasks are named after the table's columns: os_days -> os, mvi -> mvi.
    task_of = {target: name for name, (target, _) in folds[0].tasks.items()}
    kinds = dict(folds[0].tasks.values())
    tables, splits = patient_tables(folds[0].datamodule), _splits(folds)
    parts = [
        baseline_rows(name, listed_baseline(covariates), tables, splits, kinds)
        for name, covariates in usable_baselines(config.baselines, tables.clinical)
    ]
    if config.strong_baselines and tables.measured is not None:
        parts += strong_rows(tables, splits, kinds, seed=config.seed)
    rows = [part.assign(task=part["task"].map(task_of)) for part in parts if len(part)]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _oracle(folds: Sequence[Fold]) -> pd.DataFrame:
    """Return the phantom's truth, and what the phases show of it; empty for a real cohort."""
    datamodule: CohortDataModule = folds[0].datamodule
    path = Path(datamodule.cohort_root) / ORACLE_FILE
    if not path.is_file():
        return pd.DataFrame()
    oracle = pd.read_csv(path, dtype={"patient_id": str}).set_index("patient_id")
    parts = [oracle_predictions(oracle, datamodule.table, _splits(folds))]
    if datamodule.phases and set(SHOWN_IN) <= set(oracle):
        seen = visible_scores(oracle, datamodule.phases)
        parts.append(oracle_predictions(seen, datamodule.table, _splits(folds), model=VISIBLE))
    return pd.concat(parts, ignore_index=True)


def _quarantine(store: Path) -> pd.DataFrame:
    """Return who was left out while reading and preparing the cohort."""
    path = store / QUARANTINE
    return read_csv(path) if path.is_file() else empty_quarantine()


def _splits(folds: Sequence[Fold]) -> pd.DataFrame:
    parts = [
        fold.datamodule.splits.rename("split").reset_index().assign(fold=fold.datamodule.fold)
        for fold in folds
    ]
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, csv_bytes(table))

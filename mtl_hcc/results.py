"""The results of a run: predictions and metrics of the network, clinical baselines and oracle."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jsonargparse import Namespace
from pytorch_lightning.loggers import WandbLogger
from rich.table import Table

from mtl_hcc.atomic import write_bytes
from mtl_hcc.data.covariates import CovariateKind
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.figures import FIGURES
from mtl_hcc.metrics.clinical_baseline import clinical_baseline, oracle_predictions
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS, evaluate_predictions
from mtl_hcc.metrics.results_table import results_table
from mtl_hcc.training import TrainedFold
from mtl_hcc.wandb_run import close, log_tables_and_figures

NETWORK = "network"
ORACLE_FILE = "oracle.csv"


@dataclass
class RunResult:
    """What a run found: tables as written to the run folder, and the one that is shown."""

    predictions: pd.DataFrame
    metrics: pd.DataFrame
    table: Table


def evaluate_run(config: Namespace, folds: Sequence[TrainedFold], run: Path) -> RunResult:
    """Write ``predictions.csv``, ``baselines.csv`` and ``metrics.csv`` of a run.

    Args:
        config: With ``baselines``, ``bootstraps`` and ``seed``.
        folds: The trained folds.
        run: The run folder.
    """
    predictions = pd.concat([fold.predictions for fold in folds], ignore_index=True)
    _write(predictions, run / "predictions.csv")
    references = pd.concat(
        [reference_predictions(config.baselines, folds), _oracle(folds)], ignore_index=True
    )
    if len(references):
        _write(references, run / "baselines.csv")
    everything = pd.concat([predictions.assign(model=NETWORK), references], ignore_index=True)
    metrics = evaluate_predictions(
        everything, bootstraps=config.bootstraps, seed=config.seed, progress=True
    )
    _write(metrics, run / "metrics.csv")
    return RunResult(predictions, metrics, results_table(metrics))


def show_in_wandb(loggers: Sequence[WandbLogger], result: RunResult, history: pd.DataFrame) -> None:
    """Add the final tables and figures to W&B, and close the run there.

    Args:
        loggers: None (W&B is disabled) or one.
        result: Of the whole run.
        history: ``history.csv`` of the first fold.
    """
    sources = {"predictions": result.predictions, "history": history, "metrics": result.metrics}
    tables = {"metrics": result.metrics, "predictions": result.predictions}
    for logger in loggers:
        # A figure's arguments are named after the tables that it needs.
        needed = {name: inspect.signature(draw).parameters for name, draw in FIGURES.items()}
        figures = {
            name: draw(**{table: sources[table] for table in needed[name]})
            for name, draw in FIGURES.items()
            if set(needed[name]) <= set(sources)
        }
        log_tables_and_figures(logger, tables, figures)
        logger.experiment.summary.update(_final_values(result.metrics))
        close(loggers)


def _final_values(metrics: pd.DataFrame) -> dict[str, float]:
    """Return the network's pooled values, named by split: ``external/concordance_harrell_os``."""
    rows = metrics[(metrics["model"] == NETWORK) & (metrics["center"] == ALL_CENTERS)]
    rows = rows.dropna(subset=["value"])
    names = rows["split"] + "/" + rows["metric"] + "_" + rows["task"]
    return dict(zip(names, rows["value"].astype(float), strict=True))


def reference_predictions(
    baselines: dict[str, dict[str, CovariateKind]], folds: Sequence[TrainedFold]
) -> pd.DataFrame:
    """Return the clinical baselines' predictions, fitted on each fold's training split.

    Args:
        baselines: Name to covariates, as in ``FitSettings``.
        folds: The trained folds, whose splits are used again.
    """
    heads = folds[0].module.heads
    # The baselines' tasks are named after the table's columns: os_days -> os, mvi -> mvi.
    task_of = {head.columns[0].removesuffix("_days"): name for name, head in heads.items()}
    kinds = {target: heads[name].kind for target, name in task_of.items()}
    table, splits = folds[0].datamodule.table, _splits(folds)
    parts = []
    for name, covariates in baselines.items():
        absent = [column for column in covariates if column not in table]
        if absent:
            print(f"Baseline '{name}' is left out: the cohort has no column {', '.join(absent)}.")
            continue
        rows = clinical_baseline(table, splits, kinds, covariates, name)
        parts.append(rows.assign(task=rows["task"].map(task_of)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _oracle(folds: Sequence[TrainedFold]) -> pd.DataFrame:
    """Return the phantom's truth as predictions; empty for a real cohort."""
    datamodule: CohortDataModule = folds[0].datamodule
    path = Path(datamodule.cohort_root) / ORACLE_FILE
    if not path.is_file():
        return pd.DataFrame()
    oracle = pd.read_csv(path, dtype={"patient_id": str})
    return oracle_predictions(oracle, datamodule.table, _splits(folds))


def _splits(folds: Sequence[TrainedFold]) -> pd.DataFrame:
    parts = [
        fold.datamodule.splits.rename("split").reset_index().assign(fold=fold.datamodule.fold)
        for fold in folds
    ]
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False).encode())

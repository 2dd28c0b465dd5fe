"""The results of a run: predictions and metrics of the network, clinical baselines and oracle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jsonargparse import Namespace
from rich.table import Table

from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.imaging.atomic import write_bytes
from mtl_hcc.metrics.clinical_baseline import clinical_baseline, oracle_predictions
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.results_table import results_table
from mtl_hcc.training import TrainedFold

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
    everything = pd.concat(
        [predictions.assign(model=NETWORK), references], ignore_index=True
    )
    metrics = evaluate_predictions(
        everything, bootstraps=config.bootstraps, seed=config.seed, progress=True
    )
    _write(metrics, run / "metrics.csv")
    return RunResult(predictions, metrics, results_table(metrics))


def reference_predictions(
    baselines: dict[str, dict[str, str | list[str]]], folds: Sequence[TrainedFold]
) -> pd.DataFrame:
    """Return the clinical baselines' predictions, fitted on each fold's training split.

    Args:
        baselines: Name to covariates, as in ``FitSettings``.
        folds: The trained folds, whose splits are used again.
    """
    kinds = {name: head.kind for name, head in folds[0].module.heads.items()}
    splits = _splits(folds)
    parts = [
        clinical_baseline(folds[0].datamodule.table, splits, kinds, covariates, name)
        for name, covariates in baselines.items()
    ]
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
        fold.datamodule.splits.rename("split").reset_index().assign(fold=number)
        for number, fold in enumerate(folds)
    ]
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False).encode())

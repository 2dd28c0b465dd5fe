"""What stands beside a run's own model: estimators on tables, fitted on the same folds."""

import logging
from collections.abc import Iterator, Mapping

import pandas as pd

from mtl_hcc.covariates.all_columns import all_columns
from mtl_hcc.covariates.reader import CovariateKind, read_covariates
from mtl_hcc.errors import MtlHccError
from mtl_hcc.estimators.features import ClinicalColumns, PatientTables, RegionStatistics
from mtl_hcc.estimators.ridge import RidgeEstimator
from mtl_hcc.estimators.table_estimator import TableEstimator, TaskKind, estimator_rows
from mtl_hcc.metrics.prediction_rows import prediction_rows

log = logging.getLogger(__name__)

REGION_STATISTICS = "region statistics"
ALL_COLUMNS = "all clinical columns"
STRONG = (REGION_STATISTICS, ALL_COLUMNS)
"""Names of the baselines that stand beside every run with images, whatever the config lists."""


def strong_baselines() -> dict[str, TableEstimator]:
    """Return what an imaging network must beat, with its ridge chosen on the training split."""
    return {
        REGION_STATISTICS: RidgeEstimator(features=RegionStatistics()),
        ALL_COLUMNS: RidgeEstimator(features=ClinicalColumns()),
    }


def listed_baseline(covariates: Mapping[str, CovariateKind]) -> TableEstimator:
    """Return the clinical model of a config's ``baselines``: without a ridge.

    Args:
        covariates: Column to how it is read.
    """
    return RidgeEstimator(features=ClinicalColumns(columns=dict(covariates)), ridge=0.0)


def usable_baselines(
    listed: Mapping[str, Mapping[str, CovariateKind]], clinical: pd.DataFrame
) -> Iterator[tuple[str, Mapping[str, CovariateKind]]]:
    """Yield the listed baselines whose columns the cohort has; who is left out is said.

    Args:
        listed: Name to covariates, as in a config.
        clinical: The cohort's table.

    """
    for name, covariates in listed.items():
        absent = [column for column in covariates if column not in clinical]
        if absent:
            print(f"Baseline '{name}' is left out: the cohort has no column {', '.join(absent)}.")
        else:
            yield name, covariates


def check_baselines(
    listed: Mapping[str, Mapping[str, CovariateKind]], clinical: pd.DataFrame
) -> None:
    """Read the columns of all listed baselines: what is wrong shows before anything is trained.

    Args:
        listed: Name to covariates, as in a config.
        clinical: The cohort's table.

    Raises:
        TableError: A cell cannot be read as the config says.
    """
    for name, covariates in listed.items():
        here = {column: kind for column, kind in covariates.items() if column in clinical}
        read_covariates(clinical, here, setting=f"baselines.{name}")


def baseline_rows(
    name: str,
    estimator: TableEstimator,
    tables: PatientTables,
    splits: pd.DataFrame,
    tasks: Mapping[str, TaskKind],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit a baseline on the train split of each fold and predict every split.

    Args:
        name: The ``model`` of the rows, e.g. ``"tumor size"``.
        estimator: What is fitted.
        tables: Of all patients.
        splits: ``patient_id, fold, split``; the split to fit on is called ``train``.
        tasks: Task to its kind.
        seed: Of the inner folds.

    Returns:
        Rows as in ``predictions.csv`` with ``model``. A task of a fold that cannot be fitted (no
        event, one class, no covariate known) is left out and logged.
    """
    parts = []
    for fold, of_fold in splits.groupby("fold", sort=True):
        setting = f"baselines.{name}"
        rows, _, reasons = estimator_rows(
            estimator, tables, of_fold, tasks, seed=seed, setting=setting
        )
        for reason in reasons:
            task, _, why = reason.partition(": ")
            log.warning("No baseline %r for %s in fold %s: %s.", name, task, fold, why)
        parts.append(rows.assign(model=name))
    if not any(len(rows) for rows in parts):
        empty = prediction_rows(tables.clinical, splits.iloc[:0], "none", "survival")
        return empty.assign(model=name)
    return pd.concat([rows for rows in parts if len(rows)], ignore_index=True)


def strong_rows(
    tables: PatientTables, splits: pd.DataFrame, tasks: Mapping[str, TaskKind], *, seed: int
) -> list[pd.DataFrame]:
    """Return the rows of the baselines that an imaging network must beat.

    Nobody has asked for them, so a table that they cannot read is said, and is no error.

    Args:
        tables: Of all patients.
        splits: ``patient_id, fold, split``.
        tasks: Task to its kind.
        seed: Of the inner folds.
    """
    _say_columns(tables, splits, tasks)
    parts = []
    for name, estimator in strong_baselines().items():
        try:
            rows = baseline_rows(name, estimator, tables, splits, tasks, seed=seed)
        except MtlHccError as error:
            print(f"Baseline '{name}' is left out: {error}")
            continue
        if len(rows):
            parts.append(rows)
    return parts


def _say_columns(
    tables: PatientTables, splits: pd.DataFrame, tasks: Mapping[str, TaskKind]
) -> None:
    """Print which columns are read together: who sees one that tells the outcome takes it out."""
    first = splits[splits["fold"] == splits["fold"].min()]
    train = tables.clinical.loc[first.loc[first["split"] == "train", "patient_id"]]
    kinds, left_out = all_columns(train, next(iter(tasks)))
    reasons = ", ".join(f"{column} ({reason})" for column, reason in left_out.items())
    print(
        f"Baseline '{ALL_COLUMNS}' reads {', '.join(kinds) or 'nothing'}"
        f"{f'; not {reasons}' if reasons else ''}."
    )

"""What a report is about: the tables that were found, and why others were not."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.estimators.fitted_rows import fitted_on_train

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


@dataclass(frozen=True)
class Study:
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

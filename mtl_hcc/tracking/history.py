"""HistoryLogger: history.csv, one row per epoch, with the numbers that W&B gets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from mtl_hcc.atomic import write_bytes


class HistoryLogger(Logger):
    """Writes every logged number into a table, whole after each epoch.

    Args:
        path: ``history.csv``.
        rows: Of the earlier part of a resumed run, up to the epoch of its checkpoint. The file may
            lack the last of them, or hold later ones, which are done again.
    """

    def __init__(self, path: Path, rows: Iterable[Mapping[str, float]] = ()) -> None:
        super().__init__()
        self.path = path
        self.rows = {int(row["epoch"]): {**row, "epoch": int(row["epoch"])} for row in rows}
        self.save()

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "history"

    @property
    def version(self) -> str:
        """One file per run."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> None:
        """There is no outside experiment object."""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` holds the settings."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add numbers to the row of their epoch, and drop rows of a later, abandoned one."""
        if "epoch" not in metrics:
            return
        epoch = int(metrics["epoch"])
        self.rows = {known: row for known, row in self.rows.items() if known <= epoch}
        self.rows.setdefault(epoch, {}).update({**metrics, "epoch": epoch})

    def rows_with(self, epoch: int, numbers: Mapping[str, float]) -> list[dict[str, float]]:
        """Return the rows up to an epoch, its own with some more numbers; nothing is logged.

        Args:
            epoch: The present one, from 0.
            numbers: Of it.
        """
        rows = {known: row for known, row in self.rows.items() if known < epoch}
        rows[epoch] = {**self.rows.get(epoch, {}), **numbers, "epoch": epoch}
        return list(rows.values())

    def table(self) -> pd.DataFrame:
        """Return one row per epoch, the epoch first."""
        table = pd.DataFrame(list(self.rows.values()))
        names = sorted({str(name) for name in table} - {"epoch"})
        return table[["epoch", *names]] if len(table) else table

    @rank_zero_only
    def save(self) -> None:
        """Write the table."""
        if self.rows:
            write_bytes(self.path, self.table().to_csv(index=False).encode())

"""HistoryLogger: history.csv, one row per epoch, with the numbers that W&B gets."""

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
        path: ``history.csv``; the rows of an earlier part of a resumed run are kept.
        resume: Whether to keep them; else the file starts anew.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        super().__init__()
        self.path = path
        self.rows: dict[int, dict[str, float]] = {}
        if resume and path.is_file():
            for row in pd.read_csv(path, float_precision="round_trip").to_dict("records"):
                self.rows[int(row["epoch"])] = {str(name): value for name, value in row.items()}

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

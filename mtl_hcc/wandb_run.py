"""The W&B side of a run: nothing leaves the machine unless asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jsonargparse import Namespace
from matplotlib.figure import Figure
from pytorch_lightning.loggers import WandbLogger


def wandb_logger(
    config: Namespace, folder: Path, plain: dict[str, Any], *, part: str
) -> list[WandbLogger]:
    """Return the W&B logger, or nothing when it is disabled.

    Args:
        config: With ``wandb``, ``wandb_project`` and ``run``.
        folder: Gets the W&B files.
        plain: The complete config, shown on the run's page.
        part: What of the run this is, e.g. ``fold_0``; the parts of a run form a group.
    """
    if config.wandb == "disabled":
        return []
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    name = Path(config.run).name
    logger = WandbLogger(
        name=name if part == name else f"{name}-{part}",
        group=name,
        save_dir=folder,
        project=config.wandb_project,
        offline=config.wandb == "offline",
        config=plain,
        settings=wandb.Settings(silent=config.wandb == "offline", console="off"),
    )
    # Lightning 2.6 passes anonymous=None on, which W&B 0.31 answers with a warning to the user.
    logger._wandb_init.pop("anonymous", None)
    return [logger]


def close(loggers: Sequence[Any]) -> None:
    """End the W&B runs among some loggers, so that the next part starts one of its own."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def log_tables_and_figures(
    logger: WandbLogger, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Figure]
) -> None:
    """Add the final tables and figures to a run.

    Args:
        logger: Of the run.
        tables: Name to table.
        figures: Name to figure.
    """
    import wandb

    for name, table in tables.items():
        # W&B tables want one type per column; text keeps empty cells and numbers alike.
        logger.experiment.log({f"tables/{name}": wandb.Table(dataframe=table.astype(str))})
    for name, figure in figures.items():
        logger.experiment.log({f"figures/{name}": wandb.Image(figure)})

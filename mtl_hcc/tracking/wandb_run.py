"""The W&B side of a run: nothing leaves the machine unless asked for."""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jsonargparse import Namespace
from matplotlib.figure import Figure
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from mtl_hcc.atomic import TEMPORARY, write_bytes
from mtl_hcc.command_line.fit_settings import WandbMode
from mtl_hcc.figures.canvas import caption_of

EPOCH = "epoch"
ID_FILE = "run_id.txt"
JOB_TYPES = {"fold": "fold", "results": "results"}
SECTIONS = ("train/", "validation/", "weights/", "system/")
RISES = ("c_index", "auc", "f1")
"""Beginnings of the names of numbers that are better when higher; a loss is better when lower."""


class SectionedLogger(WandbLogger):
    """W&B logger that draws every section over epochs and keeps the best value beside the last.

    Lightning's logger defines ``*`` over its own step, and W&B lets that pattern win over a more
    precise one: hence each name is defined when it first appears.
    """

    _defined: frozenset[str] = frozenset()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Define the names that are new, then log."""
        for name in [key for key in metrics if key not in self._defined]:
            if name.startswith(SECTIONS):
                self.experiment.define_metric(name, step_metric=EPOCH, summary=summary_of(name))
        self._defined |= frozenset(metrics)
        super().log_metrics(metrics, step)


def summary_of(name: str) -> str:
    """Return which values of a curve stand in the run's summary: the best and the last, or both.

    Args:
        name: Such as ``validation/c_index_os``.
    """
    section, _, number = name.partition("/")
    if section in ("train", "validation"):
        if number.startswith(RISES):
            return "max,last"
        if number.startswith(("loss", "criterion")):
            return "min,last"
    return "mean,last" if section == "system" else "last"


def wandb_logger(
    config: Namespace, folder: Path, plain: dict[str, Any], *, part: str
) -> list[WandbLogger]:
    """Return the W&B logger, or nothing when it is disabled.

    A run that goes on (``ckpt_path``) goes on in W&B, too: the id of its W&B run is kept beside the
    W&B files. Offline, its parts are several folders of one run, which ``wandb sync`` joins.

    Args:
        config: With ``wandb``, ``wandb_project`` and ``run``.
        folder: Gets the W&B files.
        plain: The complete config, shown on the run's page.
        part: What of the run this is, e.g. ``fold_0``; the parts of a run form a group, named
            after the run unless ``wandb_group`` says otherwise (seeds, an ablation study).
    """
    if config.wandb == "disabled":
        return []
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    name = Path(config.run).name
    logger = SectionedLogger(
        name=name if part == name else f"{name}-{part}",
        group=config.wandb_group or name,
        job_type=JOB_TYPES.get(part.partition("_")[0], "training"),
        save_dir=folder,
        project=config.wandb_project,
        id=_run_id(folder, resume=config.ckpt_path is not None),
        resume="allow",
        mode=_mode(config.wandb),
        config=plain,
        settings=wandb.Settings(silent=config.wandb == "offline", console="off"),
    )
    # Lightning 2.6 always passes anonymous=None on, which W&B 0.31 answers with a warning to the
    # user (wandb/wandb#10909). No argument of the logger keeps it from doing so.
    logger._wandb_init.pop("anonymous", None)
    return [logger]


def _run_id(folder: Path, *, resume: bool) -> str:
    """Return the id of the W&B run that belongs to a folder; a new one unless it is resumed."""
    path = folder / "wandb" / ID_FILE
    if getattr(rank_zero_only, "rank", 0) != 0:
        return ""  # only the first rank talks to W&B
    known = path.read_text(encoding="utf-8").strip() if resume and path.is_file() else ""
    if not known:
        known = secrets.token_hex(4)
        write_bytes(path, known.encode())
    return known


def _mode(wanted: WandbMode) -> str | None:
    """Return what W&B is told.

    Nothing for ``online`` where the environment is silent: then W&B's own files may still say less
    (``wandb offline``). Where the environment speaks, our settings have already weighed it.
    """
    return None if wanted == "online" and "WANDB_MODE" not in os.environ else wanted


def close(loggers: Sequence[Any], *, exit_code: int = 0) -> None:
    """End the W&B runs among some loggers, so that the next part starts one of its own.

    Args:
        loggers: Some of them of W&B.
        exit_code: Not 0 if the run failed, and is to be seen as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code=exit_code)


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
        logger.experiment.log({f"tables/{name}": wandb.Table(dataframe=plain_types(table))})
    for name, figure in figures.items():
        picture = wandb.Image(figure, caption=caption_of(figure) or None)
        logger.experiment.log({f"figures/{name}": picture})


def plain_types(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with one type per column, as W&B wants it: numbers (float) or text."""
    plain = table.copy()
    for column in plain:
        if pd.api.types.is_numeric_dtype(plain[column]):
            plain[column] = plain[column].astype(float)
        else:
            plain[column] = (
                plain[column].astype(object).where(plain[column].notna(), "").astype(str)
            )
    return plain


def log_model(logger: WandbLogger, folder: Path) -> None:
    """Add the exported model (weights and config, no pickled code) to a run, as an artifact.

    Args:
        logger: Of the run.
        folder: ``model/`` of the run folder; each file is kept under its name.
    """
    import wandb

    artifact = wandb.Artifact(f"{logger.experiment.name}-model", type="model")
    for path in sorted(folder.iterdir()):
        if path.suffix != TEMPORARY:  # half a file that a kill has left
            artifact.add_file(str(path), name=path.name)
    logger.experiment.log_artifact(artifact)

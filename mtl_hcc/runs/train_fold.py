"""Training of one fold: from config to trained module and its predictions."""

import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytorch_lightning as lightning
import torch
from jsonargparse import ArgumentParser, Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from rich.progress import track

from mtl_hcc.atomic import remove_leftovers
from mtl_hcc.batch import PatientBatch
from mtl_hcc.command_line.config import instantiate, plain_config
from mtl_hcc.command_line.fit_settings import KeptEpoch
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.prediction_rotations import rotated
from mtl_hcc.data.prepared_cohort import SPLITS
from mtl_hcc.data.training_ranges import training_ranges, write_ranges
from mtl_hcc.errors import ConfigError, TrainingError
from mtl_hcc.runs.callbacks import (
    BestEpoch,
    EpochChoice,
    EpochTime,
    HistoryInCheckpoint,
    LastEpoch,
    Patience,
)
from mtl_hcc.runs.checkpoint import export_model, read_checkpoint
from mtl_hcc.runs.prediction_table import fit_baseline_hazards, predict_patients, prediction_rows
from mtl_hcc.runs.resume import checkpoint_to_resume
from mtl_hcc.tracking.history import HistoryLogger
from mtl_hcc.tracking.wandb_run import close, log_model, wandb_logger
from mtl_hcc.training.module import MultiTaskModule
from mtl_hcc.training.whole_checkpoints import WholeCheckpoints


@dataclass
class TrainedFold:
    """What a fold leaves: the module with its best weights, its data, and the predictions."""

    module: MultiTaskModule
    datamodule: CohortDataModule
    predictions: pd.DataFrame
    history: pd.DataFrame
    wandb: list[WandbLogger]

    @property
    def tasks(self) -> dict[str, tuple[str, Literal["survival", "class"]]]:
        """Task to the endpoint that it predicts, and its kind."""
        heads = self.module.heads.items()
        return {name: (head.columns[0].removesuffix("_days"), head.kind) for name, head in heads}


def build_fold(parser: ArgumentParser, config: Namespace, *, fold: int) -> Namespace:
    """Return model and data of one fold, with the weights that its seed gives.

    Args:
        parser: That parsed the config.
        config: The parsed config.
        fold: Number of the fold.
    """
    lightning.seed_everything(config.seed + fold, workers=True, verbose=False)
    return instantiate(parser, _of_fold(config, fold))


def _of_fold(config: Namespace, fold: int) -> Namespace:
    """Return the config of one fold."""
    config = config.clone()
    config.data.fold = fold
    return config


def train_fold(
    parser: ArgumentParser,
    config: Namespace,
    folder: Path,
    *,
    fold: int,
    parts: Namespace | None = None,
) -> TrainedFold | None:
    """Train one fold and predict everybody with its best weights.

    Args:
        parser: That parsed the config.
        config: The parsed config.
        folder: Gets ``checkpoints/``, ``history.csv`` and ``model/``.
        fold: Number of the fold.
        parts: From :func:`build_fold`, no random number having been drawn since; built here when
            not given.

    Returns:
        The trained fold; ``None`` on every rank but the first.
    """
    _quiet()
    parts = parts or build_fold(parser, config, fold=fold)
    config = _of_fold(config, fold)
    module: MultiTaskModule = parts.model
    datamodule: CohortDataModule = parts.data
    datamodule.run_splits = Path(config.run) / SPLITS
    module.config = plain_config(parser, config)
    checkpoints = folder / "checkpoints"
    if getattr(rank_zero_only, "rank", 0) == 0:
        for place in (folder, checkpoints, folder / "model"):
            remove_leftovers(place)
    resumed = checkpoint_to_resume(
        config.ckpt_path, folder, module.state_dict(), max_epochs=config.trainer.max_epochs
    )
    history = HistoryLogger(folder / "history.csv", resumed.rows if resumed else ())
    inside = folder.relative_to(config.run).parts if folder.is_relative_to(config.run) else ()
    part = "_".join(inside) or folder.name
    wandb = wandb_logger(config, folder, module.config, part=part)
    own = resumed is not None and resumed.own
    keep = KeptEpoch(**config.keep.as_dict())
    choice = EpochChoice(keep, max_epochs=config.trainer.max_epochs, own=own)
    callbacks: list[Callback] = [
        EpochTime(),
        HistoryInCheckpoint(history),
        choice,
        Patience(config.patience, choice),
        BestEpoch(checkpoints, choice, own=own),
        LastEpoch(checkpoints),
    ]
    trainer = _trainer(dict(config.trainer), folder, [history, *wandb], callbacks)
    # Of a fold that had ended this only restores the state, unless the settings let it go on.
    try:
        path = str(resumed.path) if resumed else None
        trainer.fit(module, datamodule, ckpt_path=path, weights_only=True)
    except MisconfigurationException as error:  # what only shows when the loaders are there
        raise ConfigError(str(error), where="trainer", remedy="Correct the setting.") from error
    except TrainingError as error:
        close(wandb, exit_code=1)
        raise TrainingError(
            error.found,
            where=f"{folder}, {error.where}",
            remedy=f"{error.remedy} {_how_to_go_on(config, checkpoints)}",
        ) from error
    except SystemExit:  # so Lightning ends a run after Ctrl-C
        if trainer.interrupted and trainer.global_rank == 0:
            print(f"Stopped. To go on: --run {config.run} --ckpt_path last", file=sys.stderr)
        raise
    if trainer.global_rank != 0:
        return None
    module.load_state_dict(read_checkpoint(checkpoints / "best.ckpt")["state_dict"])
    device = trainer.strategy.root_device
    predictions = predict_fold(module, datamodule, fold=fold, device=device)
    export_model(module, folder / "model")
    write_ranges(training_ranges(datamodule), folder / "model")
    for logger in wandb:
        log_model(logger, folder / "model")
    return TrainedFold(module, datamodule, predictions, history.table(), wandb)


def _trainer(
    settings: dict[str, Any], folder: Path, loggers: list[Logger], callbacks: list[Callback]
) -> lightning.Trainer:
    """Return Lightning's trainer, with the plug-in that writes whole checkpoints."""
    if settings.get("enable_progress_bar") is not False:
        callbacks = [*callbacks, RichProgressBar()]
    given = settings.pop("plugins", None) or []
    plugins = given if isinstance(given, list) else [given]
    try:
        return lightning.Trainer(
            **settings,
            logger=loggers,
            callbacks=callbacks,
            plugins=[WholeCheckpoints(), *plugins],
            default_root_dir=folder,
            use_distributed_sampler=False,  # the data module deals patients to ranks
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        found = str(error).rstrip("!.")
        raise ConfigError(found, where="trainer", remedy="Correct the setting.") from error


def predict_fold(
    module: MultiTaskModule,
    datamodule: CohortDataModule,
    *,
    fold: int,
    device: torch.device | str,
) -> pd.DataFrame:
    """Fit the baseline hazards on the training split, then return everybody's predictions."""
    outputs, targets, who = predict_patients(
        module, batches(datamodule), device=device, rotations=len(datamodule.rotations)
    )
    train = torch.as_tensor((who["split"] == "train").to_numpy())
    fit_baseline_hazards(module, outputs, targets, train)
    return prediction_rows(module, outputs, targets, who, fold=fold)


def batches(datamodule: CohortDataModule) -> Iterator[PatientBatch]:
    """Yield all patients, with a progress bar: each batch as often as it is turned."""
    loader = datamodule.everybody()
    for batch in track(loader, description="Predicting", transient=True, total=len(loader)):
        for rotation in datamodule.rotations:
            yield datamodule.on_after_batch_transfer(rotated(batch, rotation), 0)


def _how_to_go_on(config: Namespace, checkpoints: Path) -> str:
    """Return what is kept of a run that had to stop, and the command to go on."""
    start = f"python -m mtl_hcc.fit --config {Path(config.run) / 'config.yaml'}"
    rate = f"--model.learning_rate {config.model.learning_rate / 10:g}"
    if not (checkpoints / "last.ckpt").is_file():
        return f"No epoch had been finished. To start again, e.g.: {start} {rate}"
    kept = [
        f"{path} (epoch {read_checkpoint(path)['epoch']})"
        for path in (checkpoints / "last.ckpt", checkpoints / "best.ckpt")
        if path.is_file()
    ]
    return (
        f"Kept as they were: {' and '.join(kept)}. To go on, e.g.: {start} --ckpt_path last {rate}"
    )


def _quiet() -> None:
    """Keep what a user cannot act on out of the terminal."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*LeafSpec.*",  # Lightning-AI/pytorch-lightning#21326
        ".*does not have many workers.*",  # arrays are cached in this process
        "Be aware that when using .ckpt_path., callbacks .*",  # EpochChoice says what differs
        "Checkpoint directory .* exists and is not empty",  # that is what resuming means
    ):
        warnings.filterwarnings("ignore", message)

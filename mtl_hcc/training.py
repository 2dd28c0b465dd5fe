"""Training of one fold: from config to trained module and its predictions."""

import logging
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as lightning
import torch
from jsonargparse import ArgumentParser, Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import WandbLogger
from rich.progress import track

from mtl_hcc.batch import PatientBatch
from mtl_hcc.checkpoint import export_model, read_checkpoint
from mtl_hcc.config import instantiate, plain_config
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import CheckpointError, ConfigError
from mtl_hcc.history import HistoryLogger
from mtl_hcc.module import MultiTaskModule
from mtl_hcc.prediction_table import fit_baselines, predict_patients, prediction_rows
from mtl_hcc.wandb_run import log_model, wandb_logger
from mtl_hcc.weights import check_fits

MONITOR = "validation/loss"


@dataclass
class TrainedFold:
    """What a fold leaves: the module with its best weights, its data, and the predictions."""

    module: MultiTaskModule
    datamodule: CohortDataModule
    predictions: pd.DataFrame
    history: pd.DataFrame
    wandb: list[WandbLogger]


class EpochTime(Callback):
    """Logs the seconds of each epoch and the learning rate."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Log."""
        seconds = time.perf_counter() - self._start
        module.log("system/epoch_seconds", seconds, rank_zero_only=True)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        module.log("train/learning_rate", rate, rank_zero_only=True)


class Patience(EarlyStopping):
    """Early stopping that goes on where it was, with the patience of the config.

    Args:
        patience: Epochs without a better validation loss before training stops.
    """

    def __init__(self, patience: int) -> None:
        super().__init__(MONITOR, patience=patience, check_on_train_epoch_end=True)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was found so far, but not the patience of the earlier settings."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Stop at once when the resumed run had already stopped."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def train_fold(
    parser: ArgumentParser, config: Namespace, folder: Path, *, fold: int
) -> TrainedFold | None:
    """Train one fold and predict everybody with its best weights.

    Args:
        parser: That parsed the config.
        config: The parsed config.
        folder: Gets ``checkpoints/``, ``history.csv`` and ``model/``.
        fold: Number of the fold.

    Returns:
        The trained fold; ``None`` on every rank but the first.
    """
    _quiet()
    config = config.clone()
    config.data.fold = fold
    lightning.seed_everything(config.seed + fold, workers=True, verbose=False)
    parts = instantiate(parser, config)
    module: MultiTaskModule = parts.model
    datamodule: CohortDataModule = parts.data
    module.config = plain_config(parser, config)
    ckpt_path = _checkpoint_to_resume(config.ckpt_path, folder, module)
    history = HistoryLogger(folder / "history.csv", resume=ckpt_path is not None)
    wandb = wandb_logger(config, folder, module.config, part=folder.name)
    best = ModelCheckpoint(
        folder / "checkpoints",
        filename="best",
        monitor=MONITOR,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    last = ModelCheckpoint(
        folder / "checkpoints",
        filename="last",
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    stop = Patience(config.patience)
    settings = dict(config.trainer)
    callbacks: list[Callback] = [EpochTime(), stop, best, last]
    if settings.get("enable_progress_bar") is not False:
        callbacks.append(RichProgressBar())
    try:
        trainer = lightning.Trainer(
            **settings,
            logger=[history, *wandb],
            callbacks=callbacks,
            default_root_dir=folder,
            use_distributed_sampler=False,  # the data module deals patients to ranks
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        found = str(error).rstrip("!.")
        raise ConfigError(found, where="trainer", remedy="Correct the setting.") from error
    # Of a fold that had ended this only restores the state, unless the settings let it go on.
    try:
        trainer.fit(module, datamodule, ckpt_path=ckpt_path, weights_only=True)
    except MisconfigurationException as error:  # what only shows when the loaders are there
        raise ConfigError(str(error), where="trainer", remedy="Correct the setting.") from error
    except SystemExit:  # so Lightning ends a run after Ctrl-C
        if trainer.interrupted and trainer.global_rank == 0:
            print(f"Stopped. To go on: --run {config.run} --ckpt_path last", file=sys.stderr)
        raise
    if trainer.global_rank != 0:
        return None
    module.load_state_dict(read_checkpoint(folder / "checkpoints" / "best.ckpt")["state_dict"])
    device = trainer.strategy.root_device
    predictions = predict_fold(module, datamodule, fold=fold, device=device)
    export_model(module, folder / "model", phases=list(datamodule.phases))
    for logger in wandb:
        log_model(logger, folder / "model")
    return TrainedFold(module, datamodule, predictions, history.table(), wandb)


def predict_fold(
    module: MultiTaskModule,
    datamodule: CohortDataModule,
    *,
    fold: int,
    device: torch.device | str,
) -> pd.DataFrame:
    """Fit the baseline hazards on the training split, then return everybody's predictions."""
    datamodule.trainer = None  # all patients here, no shares of ranks
    outputs, targets, who = predict_patients(module, batches(datamodule), device=device)
    train = torch.as_tensor((who["split"] == "train").to_numpy())
    fit_baselines(module, outputs, targets, train)
    return prediction_rows(module, outputs, targets, who, fold=fold)


def batches(datamodule: CohortDataModule) -> Iterator[PatientBatch]:
    """Yield every patient once, with a progress bar."""
    loader = datamodule.predict_dataloader()
    for batch in track(loader, description="Predicting", transient=True, total=len(loader)):
        yield datamodule.on_after_batch_transfer(batch, 0)


def _quiet() -> None:
    """Keep what a user cannot act on out of the terminal."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*LeafSpec.*",  # Lightning-AI/pytorch-lightning#21326
        ".*does not have many workers.*",  # arrays are cached in this process
        "Checkpoint directory .* exists and is not empty",  # that is what resuming means
    ):
        warnings.filterwarnings("ignore", message)


def _checkpoint_to_resume(wanted: str | None, folder: Path, module: MultiTaskModule) -> str | None:
    """Return the checkpoint to go on from, after checking that it belongs to this config."""
    if wanted is None:
        return None
    path = folder / "checkpoints" / f"{wanted}.ckpt" if wanted in ("last", "best") else Path(wanted)
    if wanted == "last" and not path.is_file():
        if any(folder.parent.glob("fold_*/checkpoints/last.ckpt")):
            return None  # this fold had not begun when the run was stopped
        raise CheckpointError(
            "nothing to resume",
            where=str(path),
            remedy="Leave out --ckpt_path to start, or set --run to the folder of the killed run.",
        )
    checkpoint = read_checkpoint(path)
    check_fits(module.state_dict(), checkpoint["state_dict"], where=str(path))
    return str(path)

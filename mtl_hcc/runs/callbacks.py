"""What happens at the end of an epoch: clock, early stopping, the best and the last checkpoint."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from mtl_hcc.tracking.history import HistoryLogger

MONITOR = "validation/loss"


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


class BestEpoch(ModelCheckpoint):
    """Keeps the epoch with the lowest validation loss as ``best.ckpt``.

    Args:
        folder: ``checkpoints/`` of the run.
        own: Whether the run goes on from a checkpoint of this folder, so that its best epoch lies
            here, under whichever name the folder had then. Else the best of the epochs to come is
            kept.
    """

    def __init__(self, folder: Path, *, own: bool) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor=MONITOR,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )
        self.own = own

    @property
    def state_key(self) -> str:
        """Key in a checkpoint, that of Lightning's class."""
        return super().state_key.replace(type(self).__qualname__, "ModelCheckpoint", 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the lowest loss so far, also after the run folder was moved."""
        score = state_dict["best_model_score"]
        if not self.own or score is None:
            return
        here = str(Path(str(self.dirpath)) / "best.ckpt")
        place = {"dirpath": self.dirpath, "best_model_path": here, "kth_best_model_path": here}
        super().load_state_dict({**state_dict, **place, "best_k_models": {here: score}})


class LastEpoch(ModelCheckpoint):
    """Keeps the last epoch as ``last.ckpt``, with the history up to it.

    Args:
        folder: ``checkpoints/`` of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """There is nothing to take over: the next epoch is the last."""


class HistoryInCheckpoint(Callback):
    """Puts the history, this epoch included, into every checkpoint.

    A checkpoint is written before the loggers get the epoch's row: a kill between the two would
    lose the row, and a resumed run would not make it again.

    Args:
        history: That gets the rows.
    """

    def __init__(self, history: HistoryLogger) -> None:
        self.history = history

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Add the rows as plain numbers."""
        now = {name: float(value) for name, value in trainer.callback_metrics.items()}
        checkpoint["history"] = self.history.rows_with(trainer.current_epoch, now)

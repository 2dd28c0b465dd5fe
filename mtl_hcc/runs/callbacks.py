"""What happens at the end of an epoch: clock, early stopping, the best and the last checkpoint."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor

from mtl_hcc.command_line.fit_settings import KeptEpoch
from mtl_hcc.errors import CheckpointError
from mtl_hcc.tracking.history import HistoryLogger
from mtl_hcc.training.validation_criterion import validation_criterion

LOSS, CRITERION, KEPT = "validation/loss", "validation/criterion", "validation/kept_epoch"


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


class EpochChoice(Callback):
    """Says by which number epochs are compared, and from which on: early stopping and best epoch.

    Logs the number where it is not the validation loss itself.

    Args:
        settings: ``keep`` of the config.
        max_epochs: Of the trainer.
        own: As in :class:`BestEpoch`.
    """

    def __init__(self, settings: KeptEpoch, *, max_epochs: int | None, own: bool) -> None:
        self.settings, self.own = settings, own
        self.first = settings.first(max_epochs)
        self.fitted, self.normalized = settings.scale == "fitted", settings.normalize
        itself = settings.mean_over == 1 and not (self.fitted or self.normalized)
        self.monitor = LOSS if itself else CRITERION
        self.recent: list[float] = []

    def counts(self, epoch: int) -> bool:
        """Return whether an epoch is kept against later, worse ones."""
        return self.first == 0 or epoch >= self.first

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Log the mean over the last epochs."""
        if self.monitor == LOSS:
            return
        now = validation_criterion(
            module.epochs["validation"], fitted=self.fitted, normalized=self.normalized
        )
        self.recent = [*self.recent, now][-self.settings.mean_over :]
        module.log(CRITERION, sum(self.recent) / len(self.recent))

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers of the last epochs, and how they were made."""
        return {"recent": self.recent, "compared": _compared(self.settings)}

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Raise where the epochs so far were compared in another way: two numbers in one ranking.

        A run that takes the best of the epochs to come begins anew.
        """
        if not self.own:
            return
        states = checkpoint.get("callbacks", {})
        before = states.get(self.state_key, {}).get("compared", _compared(KeptEpoch()))
        if before != _compared(self.settings):
            raise CheckpointError(
                f"its epochs were compared with {before}, now with {_compared(self.settings)}",
                where="--ckpt_path",
                expected="the settings under keep with which the run began",
                remedy="Go on with these; or take the best of the epochs to come in a new folder: "
                "--run and the path of last.ckpt as --ckpt_path.",
            )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the numbers of the last epochs."""
        self.recent = list(state_dict["recent"]) if self.own else []


def _compared(settings: KeptEpoch) -> str:
    """Return how epochs are compared, as flags."""
    values = {name: value for name, value in asdict(settings).items() if name != "start"}
    return " ".join(f"--keep.{name} {value}" for name, value in values.items()).lower()


class Patience(EarlyStopping):
    """Early stopping that goes on where it was, with the patience of the config.

    Args:
        patience: Epochs without a better number before training stops.
        choice: Which number, and from which epoch on.
    """

    def __init__(self, patience: int, choice: EpochChoice) -> None:
        super().__init__(choice.monitor, patience=patience, check_on_train_epoch_end=True)
        self.choice = choice

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Compare, once epochs count."""
        if self.choice.counts(trainer.current_epoch):
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was found so far, but not the patience of the earlier settings."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Stop at once when the resumed run had already stopped."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class BestEpoch(ModelCheckpoint):
    """Keeps one epoch as ``best.ckpt``: that with the lowest number among those that count.

    Until one counts the last is kept, so that there always is one.

    Args:
        folder: ``checkpoints/`` of the run.
        choice: Which number, and from which epoch on.
        own: Whether the run goes on from a checkpoint of this folder, so that its best epoch lies
            here, under whichever name the folder had then. Else the best of the epochs to come is
            kept.
    """

    def __init__(self, folder: Path, choice: EpochChoice, *, own: bool) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor=choice.monitor,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )
        self.choice, self.own = choice, own
        self.kept_epoch = -1

    def check_monitor_top_k(
        self, trainer: lightning.Trainer, current: Tensor | None = None
    ) -> bool:
        """Return whether this epoch is to be kept."""
        better = super().check_monitor_top_k(trainer, current)
        this = trainer.current_epoch
        return better or self.kept_epoch == this or not self.choice.counts(self.kept_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Decide, log which epoch is kept, and keep it."""
        if self.check_monitor_top_k(trainer, trainer.callback_metrics[self.choice.monitor]):
            self.kept_epoch = trainer.current_epoch
        if self.kept_epoch >= 0:  # not known of the first part of an earlier version's run
            pl_module.log(KEPT, float(self.kept_epoch), rank_zero_only=True)
        super().on_train_epoch_end(trainer, pl_module)

    @property
    def state_key(self) -> str:
        """Key in a checkpoint, that of Lightning's class."""
        return super().state_key.replace(type(self).__qualname__, "ModelCheckpoint", 1)

    def state_dict(self) -> dict[str, Any]:
        """Return Lightning's, and which epoch is kept."""
        return {**super().state_dict(), "kept_epoch": self.kept_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the lowest number so far, also after the run folder was moved."""
        score = state_dict["best_model_score"]
        if not self.own or score is None:
            return
        self.kept_epoch = state_dict.get("kept_epoch", -1)
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

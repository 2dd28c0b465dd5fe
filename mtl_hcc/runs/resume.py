"""From which checkpoint a run goes on, checked before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import CheckpointError
from mtl_hcc.reporting.run_folder import run_of_member
from mtl_hcc.runs.callbacks import LOSS
from mtl_hcc.runs.checkpoint import read_checkpoint
from mtl_hcc.runs.run_record import last_checkpoints
from mtl_hcc.runs.weights import check_fits

LAST, BEST = "last.ckpt", "best.ckpt"
_START_ANEW = "start anew without --ckpt_path"


@dataclass(frozen=True)
class Resumed:
    """What a run goes on from.

    Attributes:
        path: The checkpoint.
        epoch: The last epoch in it, from 0.
        rows: The history up to it, a row per epoch.
        own: Whether it lies in the folder of this run, whose ``best.ckpt`` then belongs to it.
    """

    path: Path
    epoch: int
    rows: Sequence[Mapping[str, float]]
    own: bool


def checkpoint_to_resume(
    wanted: str | None, folder: Path, weights: dict[str, Tensor], *, max_epochs: int | None
) -> Resumed | None:
    """Return what to go on from; ``None`` for a run, or a fold, that starts.

    Args:
        wanted: ``last``, ``best``, or a path.
        folder: Of the run, or of its fold.
        weights: Names and shapes that this config needs.
        max_epochs: Epochs of the whole training, if it has an end.

    Raises:
        CheckpointError: if the checkpoint cannot be used, or the run could not be finished from it.
    """
    if wanted is None:
        return None
    checkpoints = folder / "checkpoints"
    path = checkpoints / f"{wanted}.ckpt" if wanted in ("last", "best") else Path(wanted)
    if wanted == "last" and not path.is_file() and not (checkpoints / BEST).is_file():
        of_several = run_of_member(folder)
        if of_several is not None and last_checkpoints(of_several):
            return None  # this network had not begun when the run was stopped
        raise CheckpointError(
            "nothing to resume",
            where=str(path),
            remedy="Leave out --ckpt_path to start, or set --run to the folder of the killed run.",
        )
    path, checkpoint = _newest(checkpoints) if wanted == "last" else (path, read_checkpoint(path))
    check_fits(weights, checkpoint["state_dict"], where=str(path))
    epoch = int(checkpoint["epoch"])
    own = path.resolve().parent == checkpoints.resolve()
    run = path.absolute().parent.parent
    rows = checkpoint.get("history") or _rows_of_file(run / "history.csv", epoch)
    if own:
        _check_best(path, checkpoint, rows)
    elif max_epochs is not None and 0 <= max_epochs <= epoch + 1:
        raise CheckpointError(
            f"its {epoch + 1} epochs are all that trainer.max_epochs asks for",
            where=str(path),
            remedy=f"To finish its run set --run {run}; to train on, raise "
            "--trainer.max_epochs: the best of the epochs to come will be taken.",
        )
    return Resumed(path, epoch, rows, own)


def _newest(checkpoints: Path) -> tuple[Path, dict[str, Any]]:
    """Return ``last.ckpt``, or ``best.ckpt`` where a kill came between the two of an epoch."""
    last, best = _readable(checkpoints / LAST), _readable(checkpoints / BEST)
    if isinstance(last, CheckpointError):
        if isinstance(best, CheckpointError):
            raise last
        if (checkpoints / LAST).is_file():
            raise CheckpointError(
                last.found,
                where=last.where,
                remedy=f"{BEST} beside it is whole: --ckpt_path best goes on after its epoch "
                f"{best['epoch']} (counted from 0).",
            )
        return checkpoints / BEST, best
    if isinstance(best, CheckpointError) or best["epoch"] <= last["epoch"]:
        return checkpoints / LAST, last
    return checkpoints / BEST, best


def _readable(path: Path) -> dict[str, Any] | CheckpointError:
    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        return error


def _check_best(
    path: Path, checkpoint: dict[str, Any], rows: Sequence[Mapping[str, float]]
) -> None:
    """Raise unless ``best.ckpt``, whose weights the run will end with, is there and the right one.

    The checkpoint to go on from takes its place where it is itself the best so far.
    """
    best = path.with_name(BEST)
    name, lowest, kept = _kept(checkpoint)
    found = _readable(best)
    if isinstance(found, CheckpointError):
        why = found.found
    elif _kept(found) == (name, lowest, kept):
        return
    else:
        its = _kept(found)[1]
        why = f"its {name.replace('/', ' ')} is {its}, but that of the epoch to keep is {lowest}"
    if kept is None:  # of an earlier version: the first of equal ones is the best
        kept = next((int(row["epoch"]) for row in rows if row.get(name) == lowest), None)
    if kept == checkpoint["epoch"]:
        if getattr(rank_zero_only, "rank", 0) == 0:
            write_bytes(best, path.read_bytes())
            print(f"{best}: {why}. {path.name} is the best epoch so far and was put in its place.")
        return
    run = path.parent.parent
    elsewhere = run.with_name(f"{run.name}_resumed")
    raise CheckpointError(
        f"{why}, and the run would end with its weights",
        where=str(best),
        remedy=f"Copy it back if you have it; or {_START_ANEW}; or take the best of the epochs to "
        f"come, in a new folder: --run {elsewhere} --ckpt_path {path}.",
    )


def _kept(checkpoint: dict[str, Any]) -> tuple[str, float | None, int | None]:
    """Return by which number, with which value, which epoch was kept, as a checkpoint knows it."""
    for state in checkpoint.get("callbacks", {}).values():
        if (name := state.get("monitor")) and (score := state.get("best_model_score")) is not None:
            kept = state.get("kept_epoch", -1)
            return name, float(score), kept if kept >= 0 else None
    return LOSS, None, None


def _rows_of_file(path: Path, epoch: int) -> list[dict[str, float]]:
    """Return the rows up to an epoch: checkpoints of version 0.1 do not carry them."""
    if not path.is_file():
        return []
    table = pd.read_csv(path, float_precision="round_trip")
    rows = table[table["epoch"] <= epoch].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]

"""A run folder belongs to one process: locked while it trains; an earlier run is moved aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from mtl_hcc.errors import RunError

CONFIG = "config.yaml"
_OF_A_RUN = ("checkpoints", "history.csv", "predictions.csv", "model", "fold_*", "seed_*")


def run_lock(folder: Path) -> FileLock:
    """Return the lock that the process of a run holds; the system frees it when the process ends.

    It lies beside the folder, because the folder itself may be moved.

    Args:
        folder: The run folder.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f".{folder.name}.lock"), blocking=False)


def is_locked(folder: Path) -> bool:
    """Return whether a process is training a run.

    Args:
        folder: The run folder.
    """
    if not folder.with_name(f".{folder.name}.lock").exists():
        return False
    try:
        with run_lock(folder):
            return False
    except Timeout:
        return True


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run folder for as long as the context lasts.

    Args:
        folder: The run folder.

    Raises:
        RunError: Another process trains in it, or no folder can be made there.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(
            "it is a file", where=str(folder), expected="a folder", remedy="Set another --run."
        )
    try:
        lock = run_lock(folder)
        lock.acquire()
    except Timeout as error:
        raise RunError(
            "another process is training in this folder",
            where=str(folder),
            remedy="Wait until it has ended, or set another --run.",
        ) from error
    except OSError as error:
        raise RunError(
            f"no folder can be made there ({error.strerror})",
            where=str(folder),
            expected="a place where you may write",
            remedy="Set another --run.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def keep_earlier_run(run: Path) -> None:
    """Move an earlier run of the same name aside: a new run overwrites nothing.

    Args:
        run: The run folder; ``run_1``, ``run_2``, ... get the earlier runs.

    Raises:
        RunError: What lies there is no run.
    """
    run = run.absolute()
    if not any(path for name in _OF_A_RUN for path in run.glob(name)):
        return  # of a start that failed before training there is nothing to keep
    if not (run / CONFIG).is_file() or Path.cwd().is_relative_to(run):
        raise RunError(
            "the folder holds something else than a run of `fit`, or is the one you are in",
            where=str(run),
            expected="a new folder, or the folder of an earlier run, which is moved aside",
            remedy="Set --run to a folder of its own, e.g. runs/mine.",
        )
    number = 1
    while (aside := run.with_name(f"{run.name}_{number}")).exists():
        number += 1
    run.rename(aside)
    print(f"The earlier run was moved to {aside} (to go on with a run: --ckpt_path last).")


def fold_folders(splits: pd.DataFrame, run: Path) -> dict[int, Path]:
    """Return the folder of each fold: that of the run where there is one fold.

    Args:
        splits: ``patient_id, fold, split``.
        run: The run folder.
    """
    folds = sorted(splits["fold"].unique())
    return {int(fold): run / f"fold_{fold}" if len(folds) > 1 else run for fold in folds}

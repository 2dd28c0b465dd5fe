"""The folds are kept, so that every design trains on the same ones.

Those of a prepared store follow the cohort and the settings, and it is said when they change; those
of a run stay as they were when the run began, and a change is refused.
"""

from pathlib import Path

import pandas as pd

from mtl_hcc.cohorts.source import describe
from mtl_hcc.data.splits.split import Split
from mtl_hcc.data.splits.split_changes import refuse_changes, split_changes
from mtl_hcc.data.splits.splits_csv import made_by_of, read_splits, write_splits


def keep_splits(split: Split, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Bring a store's file up to date, say what changed in it, and return its splits.

    Args:
        split: How to split.
        table: The cohort's table, indexed by ``patient_id``.
        path: The CSV file.
    """
    splits, changes = current_splits(split, table, path)
    if changes:
        if path.is_file():
            print(f"{path} is made anew. {changes}.", flush=True)
        write_splits(splits, path, made_by=describe(split))
    return splits


def current_splits(split: Split, table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, str]:
    """Return the splits of a cohort, and in words what differs from those in a store's file.

    Where chance decides, patients stay in the splits that the file has of them, as long as the
    same settings made it (:meth:`Split.renew`).

    Args:
        split: How to split.
        table: The cohort's table, indexed by ``patient_id``.
        path: The CSV file.
    """
    made_by = made_by_of(path)
    earlier = read_splits(path) if made_by else None
    if earlier is None:
        return split.assign(table), "There is none yet"
    if made_by == describe(split) and _is_whole(earlier):
        splits = split.renew(table, earlier)
        return splits, _sentence(split_changes(earlier, splits))
    splits = split.assign(table)
    reason = f"data.split was {made_by} and is {describe(split)}"
    return splits, _sentence("; ".join(filter(None, [reason, split_changes(earlier, splits)])))


def begin_run(
    split: Split, table: pd.DataFrame, splits: pd.DataFrame, path: Path, *, goes_on: bool
) -> None:
    """Write down the splits of a run that begins; check those of a run that goes on.

    Args:
        split: How to split.
        table: The cohort's table, indexed by ``patient_id``.
        splits: Of a run that begins.
        path: The run's ``splits.csv``.
        goes_on: Whether the run was begun before.

    Raises:
        SplitError: A run that goes on would have other splits.
    """
    if goes_on and path.is_file():
        run_splits(split, table, path)
        return
    if goes_on:
        print(
            f"{path} is not there: whether the patients are still in the splits that the "
            "checkpoint was trained with cannot be checked.",
            flush=True,
        )
    write_splits(splits, path, made_by=describe(split))


def run_splits(split: Split, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the splits of a run.

    Args:
        split: How to split.
        table: The cohort's table, indexed by ``patient_id``.
        path: The run's ``splits.csv``.

    Raises:
        SplitError: The cohort and the settings give other splits by now.
    """
    splits = read_splits(path)
    same = made_by_of(path) == describe(split) and _is_whole(splits)
    refuse_changes(splits, split.renew(table, splits) if same else split.assign(table), path)
    return splits


def _is_whole(splits: pd.DataFrame) -> bool:
    """Return whether every patient is in every fold."""
    folds = splits.groupby("fold")["patient_id"]
    return bool((folds.nunique() == splits["patient_id"].nunique()).all())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

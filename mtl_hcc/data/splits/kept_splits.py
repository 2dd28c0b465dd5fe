"""The folds are kept, so that every design trains on the same ones.

Those of a prepared store follow the cohort and the settings, and it is said when they change; those
of a run stay as they were when the run began, and a change is refused.
"""

from pathlib import Path

import pandas as pd

from mtl_hcc.cohorts.source import describe
from mtl_hcc.data.splits.split import Split
from mtl_hcc.data.splits.splits_csv import made_by_of, read_splits, write_splits
from mtl_hcc.errors import SplitError


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


def split_changes(earlier: pd.DataFrame, now: pd.DataFrame) -> str:
    """Return in words how splits differ; empty where they do not.

    Args:
        earlier: ``patient_id, fold, split``.
        now: The same, later.
    """
    parts = []
    folds = [sorted(set(splits["fold"])) for splits in (earlier, now)]
    if folds[0] != folds[1]:
        parts.append(f"{len(folds[1])} instead of {len(folds[0])} folds")
    moved = _moved(earlier, now)
    if len(moved):
        patients = list(dict.fromkeys(moved["patient_id"]))
        said = _some([_of_patient(moved, name) for name in patients])
        parts.append(f"{_counted(patients)} in another split: {said}")
    names = [list(dict.fromkeys(splits["patient_id"])) for splits in (earlier, now)]
    for others, these, word in ((names[0], names[1], "new"), (names[1], names[0], "gone")):
        known = set(others)
        found = [name for name in these if name not in known]
        if found:
            described = found if word == "gone" else [_of_patient(now, name) for name in found]
            parts.append(f"{_counted(found)} {word}: {_some(described)}")
    return "; ".join(parts)


def refuse_changes(run: pd.DataFrame, now: pd.DataFrame, path: Path) -> None:
    """Raise when patients came, went or moved since a run began.

    Args:
        run: ``patient_id, fold, split`` of the run.
        now: Of the cohort as it is now.
        path: The run's ``splits.csv``, for the message.

    Raises:
        SplitError: naming a patient, and what to do.
    """
    changes = split_changes(run, now)
    if not changes:
        return
    raise SplitError(
        f"the splits changed since the run began: {changes}",
        where=str(path),
        expected="the patients and splits that the run began with, or it would be tested on "
        "patients that it was trained on",
        remedy="Bring back the cohort and data.split of the run, or train a new run "
        "(leave out --ckpt_path).",
    )


def _is_whole(splits: pd.DataFrame) -> bool:
    """Return whether every patient is in every fold."""
    folds = splits.groupby("fold")["patient_id"]
    return bool((folds.nunique() == splits["patient_id"].nunique()).all())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _moved(earlier: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return ``patient_id, fold, was, split`` of who is in another split of a fold."""
    both = now.merge(earlier.rename(columns={"split": "was"}), on=["patient_id", "fold"])
    return both[both["was"] != both["split"]]


def _of_patient(rows: pd.DataFrame, patient_id: str) -> str:
    """Return a patient's first row in words, e.g. ``P012 (train -> external)``."""
    row = rows[rows["patient_id"] == patient_id].iloc[0]
    was = f"{row['was']} -> " if "was" in row else ""
    fold = f", fold {row['fold']}" if rows["fold"].nunique() > 1 else ""
    return f"{patient_id} ({was}{row['split']}{fold})"


def _counted(patients: list[str]) -> str:
    return f"{len(patients)} patient is" if len(patients) == 1 else f"{len(patients)} patients are"


def _some(texts: list[str], *, shown: int = 3) -> str:
    """Return the first few."""
    return ", ".join(texts[:shown]) + (", ..." if len(texts) > shown else "")

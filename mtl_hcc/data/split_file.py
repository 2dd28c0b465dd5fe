"""splits.csv: the folds, kept so that every design trains on the same ones.

That of a prepared store follows the cohort and the settings, and says so when it changes; that of a
run stays as it was when the run began, and a change is refused.
"""

import io
from pathlib import Path

import pandas as pd

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import describe
from mtl_hcc.data.split_changes import refuse_changes, split_changes
from mtl_hcc.data.splits import SPLIT_COLUMNS, Split
from mtl_hcc.errors import SplitError


def read_splits(path: Path) -> pd.DataFrame:
    """Return ``patient_id, fold, split`` from a file; fold 0 when the file has no folds.

    Args:
        path: The CSV file.

    Raises:
        SplitError: The file is absent, lacks a column or a value, or has one patient in two splits
            of a fold.
    """
    if not path.is_file():
        raise SplitError("no such file", where=str(path), remedy="Correct data.split.path.")
    text = path.read_text(encoding="utf-8-sig")
    head = text.startswith("# ")  # who made the file, see write_splits
    rows = pd.read_csv(
        io.StringIO(text), skiprows=int(head), dtype={"patient_id": str, "split": str}
    )
    if "fold" not in rows:
        rows["fold"] = 0
    lacking = [name for name in SPLIT_COLUMNS if name not in rows]
    if lacking:
        raise SplitError(
            f"no column {', '.join(lacking)}",
            where=str(path),
            expected="columns patient_id, split and, with several folds, fold",
            remedy="Rename or add the column.",
        )
    rows = rows[SPLIT_COLUMNS]
    empty = rows.isna().any(axis=1).to_numpy()
    if empty.any():
        raise SplitError(
            "an empty cell",
            where=f"{path}, line {int(empty.argmax()) + 2 + head}",
            remedy="Fill in patient_id, fold and split.",
        )
    twice = rows[rows.duplicated(["patient_id", "fold"], keep=False)]
    if len(twice):
        patient, fold = twice.iloc[0]["patient_id"], twice.iloc[0]["fold"]
        of_patient = twice[(twice["patient_id"] == patient) & (twice["fold"] == fold)]
        raise SplitError(
            f"patient {patient} {len(of_patient)} times in fold {fold}: "
            + " and ".join(of_patient["split"]),
            where=f"{path}, patient {patient}",
            expected="each patient once in a fold, or the results would be too good",
            remedy="Delete all but one of these lines.",
        )
    return rows


def write_splits(splits: pd.DataFrame, path: Path, *, made_by: str) -> None:
    """Write the splits so that no reader ever sees half a file.

    Args:
        splits: ``patient_id, fold, split``.
        path: The CSV file.
        made_by: What made the splits, kept in the first line.
    """
    text = f"# {made_by}\n" + splits[SPLIT_COLUMNS].to_csv(index=False)
    write_bytes(path, text.encode())


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


def splits_file_of(model: Path) -> Path | None:
    """Return the ``splits.csv`` of the run that a model belongs to; None for one without a run.

    Args:
        model: The run folder, a fold or ``model/`` in it, or a file in its ``checkpoints/``.
    """
    for folder in [model, *model.absolute().parents][:4]:
        if all((folder / name).is_file() for name in ("splits.csv", "config.yaml")):
            return folder / "splits.csv"
    return None


def made_by_of(path: Path) -> str:
    """Return what made a file of splits, by its first line; empty when there is no file.

    Args:
        path: The CSV file.
    """
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8-sig") as file:
        return file.readline().strip().removeprefix("# ")


def of_fold(splits: pd.DataFrame, fold: int) -> pd.Series:
    """Return the split by ``patient_id`` in one fold.

    Args:
        splits: ``patient_id, fold, split``.
        fold: Number of the fold.

    Raises:
        SplitError: There is no such fold.
    """
    known = sorted(splits["fold"].unique())
    if fold not in known:
        raise SplitError(
            f"no fold {fold}",
            where="data.fold",
            expected=f"one of {', '.join(map(str, known))}",
            remedy="Set data.fold, or more folds in data.split.",
        )
    return splits[splits["fold"] == fold].set_index("patient_id")["split"]


def _is_whole(splits: pd.DataFrame) -> bool:
    """Return whether every patient is in every fold."""
    folds = splits.groupby("fold")["patient_id"]
    return bool((folds.nunique() == splits["patient_id"].nunique()).all())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

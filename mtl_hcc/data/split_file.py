"""splits.csv: the folds, kept so that every design trains on the same ones."""

import io
import os
from pathlib import Path

import pandas as pd

from mtl_hcc.data.splits import SPLIT_COLUMNS, Split, describe
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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = f"# {made_by}\n" + splits[SPLIT_COLUMNS].to_csv(index=False)
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def keep_splits(split: Split, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the splits in the file when it fits; else make them and write the file.

    The file fits when it was made by the same settings for the same patients.

    Args:
        split: How to split.
        table: The cohort's table, indexed by ``patient_id``.
        path: The CSV file.
    """
    made_by = describe(split)
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip()
        if first == f"# {made_by}":
            splits = read_splits(path)
            if set(splits["patient_id"]) == set(table.index):
                return splits
    splits = split.assign(table)
    write_splits(splits, path, made_by=made_by)
    return splits

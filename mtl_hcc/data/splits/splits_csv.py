"""splits.csv: ``patient_id, fold, split``, and in its first line what made it."""

import io
from pathlib import Path

import pandas as pd

from mtl_hcc.atomic import write_bytes
from mtl_hcc.data.splits.split import SPLIT_COLUMNS, Split
from mtl_hcc.errors import SplitError


class SplitFile(Split):
    """The split of each patient stands in a CSV file, e.g. the ``splits.csv`` of another run.

    Args:
        path: File with ``patient_id, split`` and, with several folds, ``fold``. Patients that the
            cohort lacks (left out while reading) are passed over.
    """

    def __init__(self, *, path: str) -> None:
        self.path = path

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the file's rows for the patients of the table."""
        splits = read_splits(Path(self.path))
        for fold, rows in splits.groupby("fold"):
            absent = table.index.difference(pd.Index(rows["patient_id"]))
            if len(absent):
                raise SplitError(
                    f"{len(absent)} patients of the cohort without a split in fold {fold}",
                    where=f"{self.path}, patient {absent[0]}",
                    remedy="Add them to the file, or take them out of the cohort.",
                )
        kept = splits[splits["patient_id"].isin(table.index)]
        return kept.reset_index(drop=True)


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


def splits_file_of(model: Path) -> Path | None:
    """Return the ``splits.csv`` of the run that a model belongs to; None for one without a run.

    Args:
        model: The run folder, a fold, a seed or ``model/`` in it, or a file in its
            ``checkpoints/``.
    """
    for folder in [model, *model.absolute().parents][:5]:
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

"""Splits: who trains, who stops the training, who is only looked at; always whole patients."""

from abc import ABC, abstractmethod

import pandas as pd

from mtl_hcc.errors import SplitError

SPLIT_COLUMNS = ["patient_id", "fold", "split"]


class Split(ABC):
    """Decides the split of every patient.

    Splits ``train`` and ``validation`` (early stopping) are needed to train; any other name is
    predicted and evaluated.
    """

    @abstractmethod
    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return ``patient_id, fold, split``: in each fold every patient once.

        Args:
            table: The cohort's table, indexed by ``patient_id``, with ``center``.
        """

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Return the splits of a cohort that was split by the same settings before.

        What a table or a file says is followed; where chance decides, patients who were dealt stay
        where they are and new ones are dealt among them.

        Args:
            table: The cohort's table as it is now.
            earlier: ``patient_id, fold, split`` of the earlier time.
        """
        return self.assign(table)


class SingleSplit(Split):
    """All patients in one split: a cohort that is only predicted.

    Args:
        name: Name of the split.
    """

    def __init__(self, *, name: str = "external") -> None:
        self.name = name

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return everybody in the one split."""
        return one_fold(pd.Series(self.name, index=table.index))


class SplitByColumn(Split):
    """The split stands in a column of the clinical table.

    Args:
        column: Name of the column.
        otherwise: What splits a cohort whose table lacks the column; none refuses it.
    """

    def __init__(self, *, column: str = "split", otherwise: Split | None = None) -> None:
        self.column, self.otherwise = column, otherwise

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the column's values."""
        if self.column not in table and self.otherwise is not None:
            return self.otherwise.assign(table)
        if self.column not in table:
            raise SplitError(
                f"no column {self.column!r}",
                where="patients.csv",
                expected="the split of each patient (train, validation, ...) in it",
                remedy="Add the column, or choose RandomSplit, KFold or SplitByCenter in "
                "data.split.",
            )
        names = table[self.column]
        empty = names.isna() | (names.astype(str).str.strip() == "")
        if empty.any():
            raise SplitError(
                f"{int(empty.sum())} patients without a split, the first {empty.idxmax()}",
                where=f"patients.csv, patient {empty.idxmax()}, column {self.column}",
                remedy="Fill the cells, or take the patients out of the table.",
            )
        return one_fold(names.astype(str).str.strip())

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Return the column's values, or what splits a cohort without the column."""
        if self.column not in table and self.otherwise is not None:
            return self.otherwise.renew(table, earlier)
        return self.assign(table)


class SplitByCenter(Split):
    """Whole centers make a split.

    Args:
        train: Centers to train on.
        validation: Centers that stop the training.
        external: Centers only looked at.
    """

    def __init__(
        self, *, train: list[str], validation: list[str], external: list[str] | None = None
    ) -> None:
        self.train, self.validation, self.external = train, validation, external or []

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the split of each patient's center."""
        lists = {"train": self.train, "validation": self.validation, "external": self.external}
        known = set(table["center"])
        split_of: dict[str, str] = {}
        for split, centers in lists.items():
            for center in centers:
                if center in split_of:
                    raise SplitError(
                        f"center {center!r} in both {split_of[center]} and {split}",
                        where=f"data.split.{split}",
                        remedy="Name each center once.",
                    )
                if center not in known:
                    raise SplitError(
                        f"unknown center {center!r}",
                        where=f"data.split.{split}",
                        expected=f"one of {', '.join(sorted(known))}",
                        remedy="Correct the name as in column center of patients.csv.",
                    )
                split_of[center] = split
        left = table["center"][~table["center"].isin(list(split_of))]
        if len(left):
            raise SplitError(
                f"center {left.iloc[0]!r} in no split",
                where=f"data.split, patient {left.index[0]}",
                remedy=f"Add {', '.join(sorted(set(left)))} to one of the lists of data.split.",
            )
        return one_fold(table["center"].map(split_of))


def one_fold(splits: pd.Series, *, fold: int = 0) -> pd.DataFrame:
    """Return ``patient_id, fold, split`` for one fold.

    Args:
        splits: Split by ``patient_id``.
        fold: Number of the fold.
    """
    return pd.DataFrame(
        {"patient_id": splits.index.astype(str), "fold": fold, "split": splits.to_numpy()}
    )

"""Splits: who trains, who stops the training, who is only looked at; always whole patients."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mtl_hcc.data.strata import deal
from mtl_hcc.errors import ConfigError, SplitError

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


class RandomSplit(Split):
    """Event-stratified random split.

    Args:
        fractions: Split to its share of the patients; shares sum to 1.
        seed: Seed of the shuffle.
    """

    def __init__(self, *, fractions: dict[str, float] | None = None, seed: int = 0) -> None:
        self.fractions = fractions or {"train": 0.6, "validation": 0.2, "test": 0.2}
        self.seed = seed
        if abs(sum(self.fractions.values()) - 1) > 1e-6 or min(self.fractions.values()) <= 0:
            raise ConfigError(
                f"shares {self.fractions} sum to {sum(self.fractions.values()):g}",
                where="data.split.fractions",
                expected="shares above 0 that sum to 1",
                remedy="Correct the shares.",
            )

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a random part for each patient."""
        return one_fold(deal(table, self.fractions, seed=self.seed))

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Leave everybody in their split, and deal the new patients."""
        known = _known(table, earlier, fold=0)
        new = table.drop(known.index)
        dealt = deal(new, self.fractions, seed=self.seed, given=known.value_counts())
        return one_fold(pd.concat([known, dealt]).reindex(table.index))


class KFold(Split):
    """Event-stratified k-fold: each patient is in ``test`` in exactly one fold.

    Args:
        folds: Number of folds.
        validation_fraction: Share of the remaining patients that stops the training.
        seed: Seed of the shuffle.
    """

    def __init__(self, *, folds: int = 5, validation_fraction: float = 0.2, seed: int = 0) -> None:
        self.folds, self.validation_fraction, self.seed = folds, validation_fraction, seed
        if folds < 2 or not 0 < validation_fraction < 1:
            raise ConfigError(
                f"{folds} folds, validation fraction {validation_fraction:g}",
                where="data.split",
                expected="2 folds or more, and a fraction between 0 and 1",
                remedy="Correct data.split.folds or data.split.validation_fraction.",
            )

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return train, validation and test of every fold."""
        if self.folds > len(table):
            raise SplitError(
                f"{self.folds} folds for {len(table)} patients",
                where="data.split.folds",
                remedy=f"Set data.split.folds to {len(table)} or less.",
            )
        return self._deal(table, {fold: _nobody() for fold in range(self.folds)})

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Leave everybody in their splits of all folds, and deal the new patients."""
        known = {fold: _known(table, earlier, fold=fold) for fold in range(self.folds)}
        return self._deal(table, known)

    def _deal(self, table: pd.DataFrame, known: Mapping[int, pd.Series]) -> pd.DataFrame:
        """Deal who is not known: who is tested in which fold, and in each the rest."""
        new = table.drop(known[0].index)
        tested = pd.Series({str(fold): (one == "test").sum() for fold, one in known.items()})
        shares = {str(fold): 1 / self.folds for fold in range(self.folds)}
        test_fold = deal(new, shares, seed=self.seed, given=tested).astype(int)
        inner_shares = {
            "train": 1 - self.validation_fraction,
            "validation": self.validation_fraction,
        }
        parts = []
        for fold in range(self.folds):
            split = pd.Series("test", index=new.index)
            given = known[fold].value_counts()
            split.update(deal(new[test_fold != fold], inner_shares, seed=self.seed, given=given))
            parts.append(one_fold(pd.concat([known[fold], split]).reindex(table.index), fold=fold))
        return pd.concat(parts, ignore_index=True)


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
        from mtl_hcc.data.split_file import read_splits

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


def one_fold(splits: pd.Series, *, fold: int = 0) -> pd.DataFrame:
    """Return ``patient_id, fold, split`` for one fold.

    Args:
        splits: Split by ``patient_id``.
        fold: Number of the fold.
    """
    return pd.DataFrame(
        {"patient_id": splits.index.astype(str), "fold": fold, "split": splits.to_numpy()}
    )


def _known(table: pd.DataFrame, earlier: pd.DataFrame, *, fold: int) -> pd.Series:
    """Return the earlier split of the patients who are still there."""
    of_fold = earlier[earlier["fold"] == fold].set_index("patient_id")["split"]
    return of_fold[of_fold.index.isin(table.index)]


def _nobody() -> pd.Series:
    """Return the split of no patient."""
    return pd.Series(dtype=object)

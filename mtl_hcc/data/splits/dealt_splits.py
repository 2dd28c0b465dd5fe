"""Splits by chance, stratified: each part gets its share of deaths, recurrences, MVI and gaps."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtl_hcc.data.splits.split import Split, one_fold
from mtl_hcc.errors import ConfigError, SplitError

STRATUM_COLUMNS = ("os_event", "rfs_event", "mvi")


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


def joint_strata(table: pd.DataFrame) -> pd.Series:
    """Return one text for each patient, its OS event, RFS event and MVI, ``-`` where missing.

    Columns that the table lacks play no part, and endpoints that a config does not train do, so
    that all designs get the same folds.
    """
    columns = [table[name] for name in STRATUM_COLUMNS if name in table]
    written = [column.map(lambda value: f"{value:g}", na_action="ignore") for column in columns]
    strata = pd.Series("", index=table.index)
    for column in written:
        strata = strata + column.fillna("-")
    return strata


def deal(
    table: pd.DataFrame,
    fractions: Mapping[str, float],
    *,
    seed: int,
    given: Mapping[str, int] | pd.Series | None = None,
) -> pd.Series:
    """Deal patients into parts, each stratum in proportion.

    The patients are shuffled, sorted by stratum, and given one by one to the part that is
    furthest behind its quota. Part sizes are exact to one patient, and so is each stratum; strata
    too small to share out join their neighbors, which differ in the least important label.

    Args:
        table: Patients to deal, indexed by ``patient_id``.
        fractions: Part to its share; shares sum to 1.
        seed: Seed of the shuffle.
        given: Part to how many patients it has already, when more are dealt.

    Returns:
        Part of each patient, in the order of the table.
    """
    order = np.random.default_rng(seed).permutation(len(table))
    strata = joint_strata(table).iloc[order].sort_values(kind="stable")
    names, shares = list(fractions), np.array(list(fractions.values()))
    has = np.array([0.0 if given is None else given.get(name, 0) for name in names])
    parts = []
    for _ in range(len(strata)):
        part = int(np.argmax(shares * (has.sum() + 1) - has))
        has[part] += 1
        parts.append(names[part])
    return pd.Series(parts, index=strata.index, dtype=object).reindex(table.index)


def _known(table: pd.DataFrame, earlier: pd.DataFrame, *, fold: int) -> pd.Series:
    """Return the earlier split of the patients who are still there."""
    of_fold = earlier[earlier["fold"] == fold].set_index("patient_id")["split"]
    return of_fold[of_fold.index.isin(table.index)]


def _nobody() -> pd.Series:
    """Return the split of no patient."""
    return pd.Series(dtype=object)

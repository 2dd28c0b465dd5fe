"""Splits by chance, stratified: each part gets its share of deaths, recurrences, MVI and gaps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.patient_table import UNKNOWN_CENTER
from mtl_hcc.data.splits.split import SPLIT_COLUMNS, Split, one_fold
from mtl_hcc.errors import ConfigError, SplitError

STRATUM_COLUMNS = ("os_event", "rfs_event", "mvi")
NOBODY = pd.DataFrame(columns=SPLIT_COLUMNS)
"""The splits of no patient: everybody is new."""


class RandomSplit(Split):
    """Event-stratified random split.

    Args:
        fractions: Split to its share of the patients; shares sum to 1.
        seed: Seed of the shuffle.
    """

    def __init__(self, *, fractions: dict[str, float] | None = None, seed: int = 0) -> None:
        self.fractions = fractions or {"train": 0.6, "validation": 0.2, "test": 0.2}
        self.seed = seed
        total = sum(self.fractions.values())
        right = abs(total - 1) <= 1e-6 and min(self.fractions.values()) > 0
        expected = "shares above 0 that sum to 1"
        _check(right, "fractions", f"shares {self.fractions} sum to {total:g}", expected)

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a random part for each patient."""
        return self.renew(table, NOBODY)

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Leave everybody in their split, and deal the new patients."""
        known = _of_fold(earlier, 0, table)
        new = table.drop(known.index)
        dealt = deal(new, self.fractions, seed=self.seed, given=known.value_counts())
        return one_fold(pd.concat([known, dealt]).reindex(table.index))


class _Folds(Split):
    """Several folds: who is tested in which is decided first, and in each fold the rest is dealt.

    Args:
        validation_fraction: Share of the patients left to a fold that stops its training.
        seed: Seed of the shuffle.
    """

    def __init__(self, *, validation_fraction: float, seed: int) -> None:
        self.validation_fraction, self.seed = validation_fraction, seed
        found = f"validation_fraction is {validation_fraction:g}"
        right = 0 < validation_fraction < 1
        _check(right, "validation_fraction", found, "a fraction between 0 and 1")

    def assign(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the splits of every fold."""
        return self.renew(table, NOBODY)

    def _dealt(
        self, tested: pd.Series, table: pd.DataFrame, earlier: Mapping[int, pd.Series]
    ) -> pd.DataFrame:
        """Deal in each fold who is not tested; who learned or validated in it before, stays so.

        Args:
            tested: Fold in which each patient is tested, or a name of the split that they have in
                every fold; missing for those who are tested in none.
            table: The cohort's table.
            earlier: Of each fold, the earlier split of those who are still there.
        """
        shares = {"train": 1 - self.validation_fraction, "validation": self.validation_fraction}
        always = tested.where(tested.map(lambda one: isinstance(one, str)))
        parts = []
        for fold, known in earlier.items():
            split = always.where(tested != fold, "test")
            kept = known[known.isin(list(shares)) & split[known.index].isna()]
            new = table[split.isna() & ~table.index.isin(kept.index)]
            split.update(kept)
            split.update(deal(new, shares, seed=self.seed, given=kept.value_counts()))
            parts.append(one_fold(split, fold=fold))
        return pd.concat(parts, ignore_index=True)


class KFold(_Folds):
    """Event-stratified k-fold: each patient is in ``test`` in exactly one fold.

    Args:
        folds: Number of folds.
        validation_fraction: Share of the remaining patients that stops the training.
        seed: Seed of the shuffle.
        hold_out: Centers that no fold trains on, validates on or tests: their patients are
            ``external`` in every fold.
    """

    hold_out: Sequence[str] = ()
    """Set where it is given only: splits that were dealt without it are still the same."""

    def __init__(
        self,
        *,
        folds: int = 5,
        validation_fraction: float = 0.2,
        seed: int = 0,
        hold_out: list[str] | None = None,
    ) -> None:
        super().__init__(validation_fraction=validation_fraction, seed=seed)
        _check(folds >= 2, "folds", f"{folds} folds", "2 folds or more")
        self.folds = folds
        if hold_out:
            self.hold_out = hold_out

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Leave everybody in their splits of all folds, and deal the new patients."""
        inside = table
        if self.hold_out:
            _check_centers(table, self.hold_out, "hold_out")
            inside = table[~table["center"].isin(self.hold_out)]
        if self.folds > len(inside):
            raise SplitError(
                f"{self.folds} folds for {len(inside)} patients"
                + (f" outside of {', '.join(self.hold_out)}" if self.hold_out else ""),
                where="data.split.folds",
                remedy=f"Set data.split.folds to {len(inside)} or less."
                if len(inside) > 1 or not self.hold_out
                else "Hold out fewer centers.",
            )
        known = {fold: _of_fold(earlier, fold, inside) for fold in range(self.folds)}
        before = pd.concat(
            [pd.Series(fold, index=one.index[one == "test"]) for fold, one in known.items()]
        )
        shares = {str(fold): 1 / self.folds for fold in known}
        given = before.astype(str).value_counts()
        new = inside.drop(before.index)
        dealt = deal(new, shares, seed=self.seed, given=given).astype(int)
        inside_fold = pd.concat([before, dealt]).astype(object)
        return self._dealt(inside_fold.reindex(table.index, fill_value="external"), table, known)


class LeaveCenterOut(_Folds):
    """Each center in turn is ``test``, and the network learns from the others.

    Folds are numbered as the names of the centers sort.

    Args:
        validation_fraction: Share of the other centers' patients that stops the training, dealt
            as in a random split.
        seed: Seed of the shuffle.
        centers: Those that are left out in turn; all when not given. The others, too small to be
            tested on, are always trained on.
    """

    def __init__(
        self,
        *,
        validation_fraction: float = 0.2,
        seed: int = 0,
        centers: list[str] | None = None,
    ) -> None:
        super().__init__(validation_fraction=validation_fraction, seed=seed)
        self.centers = centers

    def renew(self, table: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
        """Test each center once; leave everybody else in their split of its fold, if there was one.

        A center keeps its dealing when others come or go, under whatever number.
        """
        present = sorted(table["center"].unique())
        _check_centers(table, self.centers or (), "centers")
        if len(present) < 2:
            raise SplitError(
                f"all {len(table)} patients are of center {', '.join(present)}",
                where="data.split, column center",
                expected="two centers or more: one is left out, the others are trained on",
                remedy="Choose KFold or RandomSplit in data.split.",
            )
        chosen = [name for name in present if self.centers is None or name in self.centers]
        of_test = earlier[earlier["split"] == "test"].set_index("patient_id")["fold"]
        was = of_test.groupby(table["center"].reindex(of_test.index)).agg(lambda f: f.mode()[0])
        known = {
            number: _of_fold(earlier, was.get(center, -1), table)
            for number, center in enumerate(chosen)
        }
        numbers = {center: number for number, center in enumerate(chosen)}
        tested = table["center"].map(numbers).astype(object)
        return self._dealt(tested, table, known)


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


def _of_fold(earlier: pd.DataFrame, fold: int, table: pd.DataFrame) -> pd.Series:
    """Return the earlier split in a fold of the patients who are in a table."""
    of_fold = earlier[earlier["fold"] == fold].set_index("patient_id")["split"]
    return of_fold[of_fold.index.isin(table.index)].astype(object)


def _check(right: bool, setting: str, found: str, expected: str) -> None:
    """Raise for a setting of a split that is not right."""
    if not right:
        raise ConfigError(
            found,
            where=f"data.split.{setting}",
            expected=expected,
            remedy=f"Correct data.split.{setting}.",
        )


def _check_centers(table: pd.DataFrame, named: Sequence[str], setting: str) -> None:
    """Raise where the table lacks a center, or does not say whose patient somebody is."""
    present = sorted(table["center"].unique())
    for place, center in enumerate(named):
        if center not in present or center in named[:place]:
            raise SplitError(
                f"center {center!r} {'twice' if center in present else 'is unknown'}",
                where=f"data.split.{setting}",
                expected=f"some of {', '.join(present)}, each once",
                remedy="Write the names as in column center of patients.csv.",
            )
    homeless = table.index[table["center"] == UNKNOWN_CENTER]
    if len(homeless) and len(present) > 1:
        raise SplitError(
            f"{len(homeless)} patients without a center, the first {homeless[0]}",
            where=f"patients.csv, patient {homeless[0]}, column center",
            expected="the center of each patient: they might be of the one that is left out",
            remedy="Fill the cells, or take the patients out of the table.",
        )

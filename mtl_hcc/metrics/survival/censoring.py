"""How likely a patient is still followed: Kaplan-Meier of the censoring, anew in each resample."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import draw_counts
from mtl_hcc.metrics.statistic import ELEMENTS_AT_ONCE, Counts, FloatArray
from mtl_hcc.metrics.survival.product_limit import ProductLimit
from mtl_hcc.metrics.task_metric import TaskRows

Rows = npt.NDArray[np.intp]
TRAIN_SEED = 20_011
"""Seed of the resamples of train, which are independent of those of the rows."""
KEPT_UP_TO = 500_000
"""Numbers (resample, patient) up to which the curves are kept for the next metric."""
REDRAWN_UP_TO = 20_000
"""Train patients above which their weights are not redrawn: their error is negligible by then."""


@dataclass(frozen=True)
class FoldCensoring:
    """Where the weights of the rows of one fold come from.

    Attributes:
        rows: Rows of the fold.
        curve: Of the patients that the weights come from.
        train: Their places among the train patients; ``None`` = the rows themselves.
    """

    rows: Rows
    curve: ProductLimit
    train: Rows | None


Heights = list[FloatArray]
"""Of the curve of each fold: (resample, 1 + time)."""


class CensoringWeights:
    """The censoring curves that belong to the rows of one task, for any resamples of the rows.

    The curve comes from the train rows of the same fold, where there are any, else from the rows
    themselves. It is computed anew in each resample: from the resample itself where the rows are
    the train rows, else from a resample of the train patients drawn beside it, with a seed of its
    own, the same for all models. The sample itself (counts all one) goes with train itself.

    Args:
        sample: Rows and train rows of one survival task.

    Attributes:
        folds: Of the rows.
        fold_of: (row,) Place of its fold.
        own: (row,) Column of its fold's curve with G just before its own time.
        note: For the column ``method``.
    """

    def __init__(self, sample: TaskRows) -> None:
        rows, train = sample.rows, sample.train
        patients, place = np.unique(train["patient_id"].astype(str), return_inverse=True)
        self.folds: list[FoldCensoring] = []
        self.fold_of, self.own = np.empty((2, len(rows)), dtype=np.intp)
        for fold in np.unique(rows["fold"]):
            inside = np.flatnonzero(rows["fold"] == fold)
            own, of_train = rows.iloc[inside], train[train["fold"] == fold]
            itself = of_train.empty or set(of_train["patient_id"]) == set(own["patient_id"])
            source = own if itself else of_train
            curve = ProductLimit(source["time_days"], source["event"], of="censoring")
            who = None if itself else place[np.flatnonzero(train["fold"] == fold)]
            self.fold_of[inside] = len(self.folds)
            self.own[inside] = curve.before(own["time_days"])
            self.folds.append(FoldCensoring(inside, curve, who))
        self.train_patients = 0
        if any(fold.train is not None for fold in self.folds):
            self.train_patients = len(patients)
        self.redrawn = self.train_patients <= REDRAWN_UP_TO
        self.width = len(rows) + (len(train) if self.train_patients and self.redrawn else 0)
        self.note = self._note(train.empty)
        self._last: tuple[Counts, Heights] | None = None

    def _note(self, no_train: bool) -> str:
        if no_train:
            return "censoring weights from the rows themselves"
        held = "" if self.redrawn else f", held fixed (above {REDRAWN_UP_TO:,} patients)"
        return f"censoring weights from the train rows{held}"

    def blocks(self, counts: Counts) -> Iterator[tuple[slice, Heights]]:
        """Return the curves, block of resamples by block: (place of the block, curves by fold)."""
        generator = np.random.default_rng(TRAIN_SEED)
        if len(counts) * self.width > KEPT_UP_TO:
            step = max(1, ELEMENTS_AT_ONCE // max(1, self.width))
            for start in range(0, len(counts), step):
                part = slice(start, start + step)
                yield part, self._heights(counts[part], generator)
            return
        if self._last is None or self._last[0] is not counts:  # metrics share their resamples
            self._last = counts, self._heights(counts, generator)
        yield slice(None), self._last[1]

    def _heights(self, counts: Counts, generator: np.random.Generator) -> Heights:
        drawn = np.ones((1, self.train_patients), dtype=np.float32)
        if self.train_patients and self.redrawn:
            drawn = draw_counts(generator, len(counts), self.train_patients)
            drawn[(counts == 1).all(axis=1)] = 1
        return [
            fold.curve(counts[:, fold.rows] if fold.train is None else drawn[:, fold.train])
            for fold in self.folds
        ]

    def horizon_weights(
        self, heights: Heights, days: float, resamples: int, of: Rows | None = None
    ) -> FloatArray:
        """Return 1 / G(t) at one time for the fold of each row, NaN where nobody is followed.

        Args:
            heights: From :meth:`blocks`.
            days: The time t.
            resamples: Of the block.
            of: Rows that are asked about; default: all.

        Returns:
            (resample, row asked about).
        """
        rows = np.arange(len(self.fold_of)) if of is None else of
        weights = np.empty((resamples, len(rows)))
        for place, inside in self._by_fold(rows):
            then = heights[place][:, [int(self.folds[place].curve.after(days))]]
            weights[:, inside] = np.divide(1, then, out=np.full_like(then, np.nan), where=then > 0)
        return weights

    def event_weights(self, heights: Heights, resamples: int, of: Rows | None = None) -> FloatArray:
        """Return 1 / G(t-) at each row's own time, 0 where nobody is followed any more.

        Args:
            heights: From :meth:`blocks`.
            resamples: Of the block.
            of: Rows that are asked about; default: all.

        Returns:
            (resample, row asked about).
        """
        rows = np.arange(len(self.fold_of)) if of is None else of
        weights = np.empty((resamples, len(rows)))
        for place, inside in self._by_fold(rows):
            own = heights[place].take(self.own[rows[inside]], axis=1)
            weights[:, inside] = np.divide(1, own, out=np.zeros_like(own), where=own > 0)
        return weights

    def _by_fold(self, rows: Rows) -> Iterator[tuple[int, slice | Rows]]:
        """Return the folds of these rows: (place of the fold, places among the rows)."""
        if len(self.folds) == 1:
            yield 0, slice(None)
            return
        for place in range(len(self.folds)):
            yield place, np.flatnonzero(self.fold_of[rows] == place)

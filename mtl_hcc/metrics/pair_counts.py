r"""Pairs of patients ranked rightly: how many others have a lower risk, or also live longer.

Counted for all resamples at once. Whoever lives longer at a lower risk is found by the matrix of
pairs or by a tree, which give the same numbers: the matrix is quicker for a few thousand patients,
the tree needs :math:`O(n \log n)` per resample and serves any number.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import BoolArray, Counts, FloatArray

Rows = npt.NDArray[np.intp]
MATRIX_UP_TO = 4000
"""Patients up to which the matrix is quicker (1,000 resamples on one core)."""


FLOAT32_UP_TO = 2**23
"""Patients below which float32 holds the running sums of counts and their halves exactly."""


class LaterAndLowerCount(Protocol):
    """Per event, the count of the later patients whose risk is lower (ties half)."""

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, event)."""


class LaterCount:
    """Per event, the count of the patients that it can be compared with.

    Those are the patients followed longer, and those censored at the same time; not those with an
    event at the same time.

    Args:
        time: (patient,) Days.
        event: (patient,) Whether it occurred.
    """

    def __init__(self, time: FloatArray, event: BoolArray) -> None:
        self.order = np.lexsort((~event, time))  # by time, events before censorings
        keys = 2 * _ranks(time) + ~event
        self.first = np.searchsorted(keys[self.order], keys[event], side="right")

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, event)."""
        sums = running_sums(counts, self.order)
        later: FloatArray = sums[:, -1:] - sums.take(self.first, axis=1)
        return later


def later_and_lower_count(
    risk: FloatArray, time: FloatArray, event: BoolArray
) -> LaterAndLowerCount:
    """Choose the quicker way by the number of patients."""
    way = LaterAndLowerByMatrix if len(risk) <= MATRIX_UP_TO else LaterAndLowerByTree
    return way(risk, time, event)


class LaterAndLowerByMatrix:
    """By the matrix (patient, event) of concordant pairs: one matrix product per call."""

    def __init__(self, risk: FloatArray, time: FloatArray, event: BoolArray) -> None:
        later = (time[:, None] > time[event]) | ((time[:, None] == time[event]) & ~event[:, None])
        higher, lower = risk[event], risk[:, None]
        score = np.where(higher == lower, 0.5, higher > lower)
        self.pairs = (score * later).astype(np.float32)  # (patient, event)

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, event); float32 holds multiples of 1/2 far below 2^23 exactly."""
        lower: FloatArray = (counts @ self.pairs).astype(np.float64)
        return lower


@dataclass(frozen=True)
class _Level:
    """One level of the tree: the patients of all right halves, and what each event sees of them.

    Attributes:
        patients: Rows of the right halves, by node and within a node by risk.
        start: (event,) First patient of the node, for events of a left half.
        below: (event,) First patient of the node whose risk is not lower, likewise.
        up_to: (event,) First patient of the node whose risk is higher, likewise. Events of a right
            half see nobody: their three places are 0.
        tied: Whether any risks tie.
    """

    patients: Rows
    start: Rows
    below: Rows
    up_to: Rows
    tied: bool


class LaterAndLowerByTree:
    r"""By a merge tree over time: sorted once, then running sums for every set of counts.

    Patients and events are put in a row by time, an event behind the patients that have theirs at
    the same time. The row is halved again and again; a pair (event, later patient) is split by
    exactly one halving, where the event is in the left half and the patient in the right one. There
    the patients of the right half are sorted by risk, so that the lower ones are a running sum.
    :math:`\log_2 n` levels of :math:`O(n)` each, as in counting inversions by merge sort.
    """

    def __init__(self, risk: FloatArray, time: FloatArray, event: BoolArray) -> None:
        number, rows = len(risk), np.flatnonzero(event)
        ascending = np.argsort(risk, kind="stable")
        place = np.empty(number, dtype=np.intp)  # of each patient by risk
        place[ascending] = np.arange(number)
        below = np.searchsorted(risk[ascending], risk[rows], side="left")
        up_to = np.searchsorted(risk[ascending], risk[rows], side="right")
        ranks = 3 * _ranks(time)
        items = np.concatenate([np.where(event, ranks, ranks + 2), ranks[rows] + 1])
        position = np.empty(len(items), dtype=np.intp)
        position[np.argsort(items, kind="stable")] = np.arange(len(items))
        of_patient, of_event = position[:number], position[number:]
        self.number_of_events = len(rows)
        self.levels = []
        for level in range(int(len(items) - 1).bit_length()):
            right = ascending[(of_patient[ascending] >> level) & 1 == 1]
            right = right[np.argsort(of_patient[right] >> (level + 1), kind="stable")]
            keys = (of_patient[right] >> (level + 1)) * (number + 1) + place[right]
            left = (of_event >> level) & 1 == 0
            node = (of_event >> (level + 1)) * (number + 1)
            start, low, high = (
                np.where(left, np.searchsorted(keys, node + rank), 0) for rank in (0, below, up_to)
            )
            if (low != start).any() or (high != start).any():
                self.levels.append(_Level(right, start, low, high, bool((low != high).any())))

    def __call__(self, counts: Counts) -> FloatArray:
        """Return (resample, event)."""
        exact = np.float32 if counts.shape[1] < FLOAT32_UP_TO else np.float64
        lower = np.zeros((len(counts), self.number_of_events))
        for level in self.levels:
            sums = running_sums(counts, level.patients, exact)
            lower += sums.take(level.below, axis=1)
            if level.tied:
                lower += (sums.take(level.up_to, axis=1) - sums.take(level.below, axis=1)) / 2
            lower -= sums.take(level.start, axis=1)
        return lower


def _ranks(values: FloatArray) -> npt.NDArray[np.intp]:
    """Return the place of each value among the distinct ones."""
    places: npt.NDArray[np.intp] = np.unique(values, return_inverse=True)[1]
    return places


class LowerRiskCount:
    """For some patients, how often others of a lower risk count (half where the risks tie).

    The risks are sorted once; a resample costs one running sum over the sorted patients, hence
    :math:`O(n)`.

    Args:
        risk: (patient,) Any score.
        of: Rows of the patients that are asked about, e.g. the cases.
        among: Rows of the patients that are counted, e.g. the controls.
    """

    def __init__(
        self,
        risk: FloatArray,
        *,
        of: npt.NDArray[np.intp],
        among: npt.NDArray[np.intp],
    ) -> None:
        self.of = of
        self.among = among[np.argsort(risk[among], kind="stable")]
        ascending = risk[self.among]
        self.below = np.searchsorted(ascending, risk[of], side="left")
        self.up_to = np.searchsorted(ascending, risk[of], side="right")
        self.tied = bool((self.below != self.up_to).any())

    def __call__(self, counts: Counts) -> FloatArray:
        """Return the sums (resample, patient asked about)."""
        sums = running_sums(counts, self.among)
        lower: FloatArray = sums.take(self.below, axis=1)
        if self.tied:
            lower = (lower + sums.take(self.up_to, axis=1)) / 2
        return lower


def running_sums(
    counts: Counts,
    rows: npt.NDArray[np.intp],
    precision: type[np.float32] | type[np.float64] = np.float64,
) -> npt.NDArray[Any]:
    """Return the sums of the counts of the first 0, 1, ... of these rows: (resample, rows + 1)."""
    sums = np.empty((len(counts), len(rows) + 1), dtype=precision)
    sums[:, 0] = 0
    np.cumsum(counts.take(rows, axis=1), axis=1, dtype=precision, out=sums[:, 1:])
    return sums

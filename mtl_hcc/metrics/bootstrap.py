"""What a metric is: a function of how often each patient counts; its resamples and intervals."""

import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""Of every interval."""
Z_95 = 1.959963984540054
"""Standard errors from a normal estimate to the ends of its interval."""
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.float32]
"""(resample, row): how often each row of the table counts; all ones is the sample itself."""
Statistic = Callable[[Counts], FloatArray]
"""Maps counts (resample, row) to the metric's values (resample,), NaN where it is undefined."""

ELEMENTS_AT_ONCE = 250_000
"""Numbers (resample, row) that a statistic works on at once: they fit into the cache."""
CELLS_AT_ONCE = 60_000
"""(resample, row) cells of one block: half a megabyte per array stays in the processor's cache."""
Fit = Callable[[Counts], dict[str, FloatArray]]
"""Maps counts (resample, row) to some metrics, each (resample,)."""


def resample_counts(patient_id: npt.ArrayLike, *, bootstraps: int = 1000, seed: int = 0) -> Counts:
    """Draw patients with replacement and say how often each row counts.

    All rows of a patient (folds) are drawn together. The draw depends on the sorted set of patients
    and the seed only, so that models evaluated on the same patients share their resamples.

    Args:
        patient_id: (row,) Patient of each row.
        bootstraps: Number of resamples.
        seed: Seed of the draw.

    Returns:
        (resample, row) counts, each resample holding as many patients as the sample.
    """
    patients, index = np.unique(np.asarray(patient_id), return_inverse=True)
    generator = np.random.default_rng(seed)
    counts = np.empty((bootstraps, len(index)), dtype=np.float32)
    block = max(1, ELEMENTS_AT_ONCE // max(1, len(patients)))
    for start in range(0, bootstraps, block):
        part = counts[start : start + block]
        part[:] = draw_counts(generator, len(part), len(patients))[:, index]
    return counts


def draw_counts(generator: np.random.Generator, resamples: int, number: int) -> Counts:
    """Draw ``number`` patients with replacement and count them: (resample, patient).

    Drawing in several calls gives what one call gives.
    """
    drawn = generator.integers(number, size=(resamples, number))
    drawn += np.arange(resamples)[:, None] * number
    counts = np.bincount(drawn.ravel(), minlength=resamples * number)
    return counts.reshape(resamples, number).astype(np.float32)


def percentile_interval(values: FloatArray) -> tuple[float, float]:
    """Return the percentile interval of resampled values; resamples without a value are left out.

    Returns NaN for both ends when fewer than half of the resamples have a value.
    """
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < len(values) or len(finite) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def two_sided_p(differences: FloatArray) -> float:
    """Return the bootstrap p-value of "no difference": twice the smaller tail, ends included.

    One is added to the tail and to the number of resamples, so that p is never zero.
    """
    finite = differences[np.isfinite(differences)]
    if len(finite) == 0:
        return float("nan")
    tail = min(np.sum(finite <= 0), np.sum(finite >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(finite) + 1)))


class NotComputableError(ValueError):
    """A metric has no value on this sample; the message is the reason, as one clause."""


def point_value(statistic: Statistic, rows: int) -> float:
    """Return the statistic of the sample itself."""
    return float(statistic(np.ones((1, rows), dtype=np.float32))[0])


def in_blocks(statistic: Statistic, width: int) -> Statistic:
    """Return the same statistic, computed for some resamples after the other.

    Args:
        statistic: Any that treats each resample by itself.
        width: Numbers that it holds for one resample.
    """
    block = max(1, ELEMENTS_AT_ONCE // max(1, width))

    def blockwise(counts: Counts) -> FloatArray:
        if len(counts) <= block:
            return statistic(counts)
        starts = range(0, len(counts), block)
        return np.concatenate([statistic(counts[start : start + block]) for start in starts])

    return blockwise


class FittedOnce:
    """A fit that gives several metrics; the sample and the last resamples are remembered.

    Args:
        fit: Computes the metrics of a block of resamples.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._sample: tuple[Counts, dict[str, FloatArray]] | None = None
        self._counts: weakref.ref[Counts] | None = None
        self._values: dict[str, FloatArray] = {}

    def statistic(self, name: str) -> Statistic:
        """Return one of the metrics as a function of counts."""
        return lambda counts: self.values(counts)[name]

    def values(self, counts: Counts) -> dict[str, FloatArray]:
        """Return all metrics of all resamples."""
        if len(counts) == 1:
            if self._sample is None or not np.array_equal(self._sample[0], counts):
                self._sample = counts, self._fit(counts)
            return self._sample[1]
        if self._counts is None or self._counts() is not counts:
            blocks = [self._fit(block) for block in resample_blocks(counts)]
            self._values = {
                name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]
            }
            self._counts = weakref.ref(counts)  # 400 MB for 100,000 patients: not kept alive
        return self._values


def resample_blocks(counts: Counts) -> list[Counts]:
    """Cut the resamples into blocks of at most :data:`CELLS_AT_ONCE` cells."""
    size = max(1, CELLS_AT_ONCE // max(1, counts.shape[1]))
    return [counts[start : start + size] for start in range(0, max(1, len(counts)), size)]

"""How uncertain a metric is: patients drawn with replacement, percentiles of the drawn values."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import ELEMENTS_AT_ONCE, Counts, FloatArray

LEVEL = 0.95


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


def percentile_interval(values: FloatArray, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of resampled values; resamples without a value are left out.

    Returns NaN for both ends when fewer than half of the resamples have a value.
    """
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < len(values) or len(finite) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
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

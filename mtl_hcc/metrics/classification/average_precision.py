"""How pure are the patients called positive? The precision-recall curve and the area under it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
    point_value,
)

Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Of a stratum: its rows from high to low score, whether positive, where tied scores end."""
NO_POSITIVE = "no positive patient among the labels"


def precision_recall_points(
    label: npt.ArrayLike, probability: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return recall (sensitivity) and precision (PPV) at every cut-off, the highest first.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Any score that rises with the label.

    Raises:
        NotComputableError: Nobody is positive.
    """
    from sklearn.metrics import precision_recall_curve

    positive = np.asarray(label) == 1
    if not positive.any():
        raise NotComputableError(NO_POSITIVE)
    precision, recall, _ = precision_recall_curve(positive, probability)
    return recall[-2::-1], precision[-2::-1]  # without the point of nobody called


def average_precision(
    label: npt.ArrayLike, probability: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> float:
    r"""Return the average precision, the area under the precision-recall curve drawn in steps.

    .. math:: \mathrm{AP} = \sum_k (R_k - R_{k-1}) P_k

    over the distinct cut-offs from high to low, with recall R and precision P (scikit-learn's
    definition; no straight lines between the points, which would be too optimistic: Davis and
    Goadrich, ICML 2006). Chance is the prevalence.

    Args:
        label: (patient,) 0 or 1.
        probability: (patient,) Any score that rises with the label.
        strata: (patient,) Precision is counted within the stratum, e.g. the fold.

    Raises:
        NotComputableError: Nobody is positive.

    Example:
        >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])  # doctest: +ELLIPSIS
        0.8333...
    """
    statistic = average_precision_statistic(label, probability, strata=strata)
    value = point_value(statistic, len(np.asarray(label)))
    if np.isnan(value):
        raise NotComputableError(NO_POSITIVE)
    return value


def average_precision_statistic(
    label: npt.ArrayLike, probability: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> Statistic:
    """Return the average precision as a function of counts.

    It is the mean, over the positives, of the precision at each one's own score, so that strata
    add up: n log n for the sorting, which all resamples share.

    Args: see :func:`average_precision`.
    """
    labels = np.asarray(label) == 1
    scores = np.asarray(probability, dtype=np.float64)
    groups = np.zeros(len(labels)) if strata is None else np.asarray(strata)
    parts = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        last = np.flatnonzero(np.append(np.diff(scores[rows]) != 0, True))  # ends of tied scores
        parts.append((rows, labels[rows].astype(np.float32), last))

    return in_blocks(lambda counts: _of_parts(counts, parts), len(labels))


def _of_parts(counts: Counts, parts: Sequence[Part]) -> FloatArray:
    """Average precision of some resamples: (resample,)."""
    total, positives = np.zeros(len(counts)), np.zeros(len(counts))
    for rows, positive, last in parts:
        drawn = counts[:, rows].astype(np.float64)
        called = np.cumsum(drawn, axis=1)[:, last]  # (resample, cut-off)
        found = np.cumsum(drawn * positive, axis=1)[:, last]
        new = np.diff(found, axis=1, prepend=0)
        total += (new * found / np.maximum(called, 1)).sum(axis=1)
        positives += found[:, -1]
    with np.errstate(invalid="ignore"):
        values: FloatArray = np.where(positives > 0, total, np.nan) / positives
    return values

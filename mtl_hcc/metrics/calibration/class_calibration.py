"""Which metrics of calibration a classification task gets: Brier score, slope, curve."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Counts, Fit, FittedOnce, FloatArray, Statistic
from mtl_hcc.metrics.calibration.resampled_regression import clipped
from mtl_hcc.metrics.calibration.smooth_curve import DISTANCES, SmoothClassCurve, curve_distances
from mtl_hcc.metrics.calibration.survival_calibration import (
    ENOUGH_FOR_CURVE,
    ENOUGH_FOR_SLOPE,
    NO_CURVE,
    WEAK,
    too_few,
)
from mtl_hcc.metrics.calibration.weak_calibration import class_recalibration
from mtl_hcc.metrics.classification.auc import ONE_CLASS
from mtl_hcc.metrics.predictions import class_columns
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

MULTICLASS_CALIBRATION = ("brier", "brier_scaled")
BINARY_CALIBRATION = (*MULTICLASS_CALIBRATION, *WEAK, *DISTANCES)
"""Names in the order of ``metrics.csv``."""
RECALIBRATION = "logistic recalibration"
SMOOTHED = (
    "curve by logistic regression on a spline of logit(probability); resamples add noise to it: "
    "the interval lies high"
)
SEPARATED = "the predictions are constant, or separate the classes: no finite solution"
BRIER_NOTES = {"brier_scaled": ("1 - Brier / Brier of the observed frequencies",)}


def binary_calibration_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return Brier score, calibration slope and intercept, and the curve's distances."""
    rows = sample.rows
    label = rows["label"].to_numpy(dtype=np.float64)
    probability = rows["probability"].to_numpy(dtype=np.float64)
    both = np.stack([1 - probability, probability], axis=1)
    metrics = _brier(label, both, halved=True)
    inside, moved = clipped(probability)
    if label.min() == label.max():
        return metrics + [TaskMetric(name, no_value, ONE_CLASS) for name in (*WEAK, *DISTANCES)]
    weak = FittedOnce(class_recalibration(label, inside))
    slope, intercept = (weak.statistic(name) for name in WEAK)
    size = int(label.sum()), int(len(label) - label.sum())
    few = too_few("a slope", *size, ENOUGH_FOR_SLOPE)
    notes = (RECALIBRATION, "slope fixed at 1", *moved)
    metrics += [
        TaskMetric(WEAK[0], no_value if few else slope, few or SEPARATED, (RECALIBRATION, *moved)),
        TaskMetric(WEAK[1], intercept, SEPARATED, notes),
    ]
    few = too_few("a smoothed curve", *size, ENOUGH_FOR_CURVE)
    if few:
        return metrics + [TaskMetric(name, no_value, few) for name in DISTANCES]
    curve = FittedOnce(smoothed_distances(label, inside))
    return metrics + [
        TaskMetric(name, curve.statistic(name), NO_CURVE, (SMOOTHED, *moved)) for name in DISTANCES
    ]


def multiclass_calibration_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the Brier score of a task with more than two classes, summed over the classes."""
    rows = sample.rows
    probabilities = rows[class_columns(rows)].to_numpy(dtype=np.float64)
    return _brier(rows["label"].to_numpy(dtype=np.float64), probabilities, halved=False)


def smoothed_distances(label: npt.ArrayLike, predicted: FloatArray) -> Fit:
    """Return ICI, E50 and E90 as a function of counts."""
    curve = SmoothClassCurve(label, predicted)

    def distances(counts: Counts) -> dict[str, FloatArray]:
        observed = curve.observed(curve.fit(counts), predicted)
        return curve_distances(observed, predicted, counts)

    return distances


def _brier(label: FloatArray, probabilities: FloatArray, *, halved: bool) -> list[TaskMetric]:
    statistics = brier_statistics(label, probabilities, halved=halved)
    notes = dict(BRIER_NOTES)
    if not halved:
        notes["brier"] = ("summed over the classes: 0 to 2",)
    return [
        TaskMetric(name, statistics[name], ONE_CLASS, notes.get(name, ()))
        for name in MULTICLASS_CALIBRATION
    ]


def brier_statistics(
    label: npt.ArrayLike, probabilities: npt.ArrayLike, *, halved: bool
) -> dict[str, Statistic]:
    r"""Return the Brier score [1]_ and its scaled form [2]_ as functions of counts.

    .. math:: B = \frac1n \sum_i \sum_k (p_{ik} - [y_i = k])^2, \quad
              B_{scaled} = 1 - B / B_{max}

    with :math:`B_{max}` that of predicting the sample's class frequencies for everybody. Scaled, 1
    is perfect, 0 as good as the frequencies.

    Args:
        label: (patient,) 0..K-1.
        probabilities: (patient, K).
        halved: With two classes both terms are equal, and the usual score has one of them.

    Returns:
        ``brier``, ``brier_scaled`` (NaN where there is one class).

    References:
        .. [1] Brier, Monthly Weather Review 1950;78:1-3.
        .. [2] Steyerberg et al., Epidemiology 2010;21:128-138.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    found = np.eye(scores.shape[1])[np.asarray(label, dtype=int)]
    each = ((scores - found) ** 2).sum(axis=1) / (2 if halved else 1)

    def brier(counts: Counts) -> FloatArray:
        weights = counts.astype(np.float64)
        score: FloatArray = weights @ each / weights.sum(axis=1)
        return score

    def scaled(counts: Counts) -> FloatArray:
        weights = counts.astype(np.float64)
        shares = weights @ found / weights.sum(axis=1, keepdims=True)
        largest = (1 - (shares**2).sum(axis=1)) / (2 if halved else 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            score: FloatArray = np.where(largest > 1e-12, 1 - brier(counts) / largest, np.nan)
        return score

    return {"brier": brier, "brier_scaled": scaled}

"""Which metrics of calibration a classification task gets."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.calibration.brier import brier_statistics
from mtl_hcc.metrics.calibration.curve_distance import DISTANCES, curve_distances
from mtl_hcc.metrics.calibration.probability_scale import clipped
from mtl_hcc.metrics.calibration.shared_fit import Fit, SharedFit
from mtl_hcc.metrics.calibration.smooth_curve import SmoothClassCurve
from mtl_hcc.metrics.calibration.survival_calibration import (
    ENOUGH_FOR_CURVE,
    ENOUGH_FOR_SLOPE,
    NO_CURVE,
    WEAK,
    too_few,
)
from mtl_hcc.metrics.calibration.weak_calibration import class_recalibration
from mtl_hcc.metrics.predictions import class_columns
from mtl_hcc.metrics.statistic import Counts, FloatArray
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
ONE_CLASS = "only one class among the labels"
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
    weak = SharedFit(class_recalibration(label, inside))
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
    curve = SharedFit(smoothed_distances(label, inside))
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

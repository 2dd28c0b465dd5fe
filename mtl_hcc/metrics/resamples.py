"""Which metrics a task gets, and the resamples of one evaluation: each metric computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, point_value, resample_counts
from mtl_hcc.metrics.calibration.class_calibration import (
    BINARY_CALIBRATION,
    MULTICLASS_CALIBRATION,
    binary_calibration_metrics,
    multiclass_calibration_metrics,
)
from mtl_hcc.metrics.calibration.survival_calibration import (
    SURVIVAL_CALIBRATION,
    survival_calibration_metrics,
)
from mtl_hcc.metrics.classification.class_metrics import (
    BINARY,
    MULTICLASS,
    binary_metrics,
    multiclass_metrics,
)
from mtl_hcc.metrics.predictions import TaskKind
from mtl_hcc.metrics.survival.brier import PREDICTION_ERROR, prediction_error_metrics
from mtl_hcc.metrics.survival.discrimination import DISCRIMINATION, discrimination_metrics
from mtl_hcc.metrics.survival.risk_groups import RISK_GROUPS, risk_group_metrics
from mtl_hcc.metrics.task_metric import MetricGroup, TaskMetric, TaskRows, no_value

Fingerprint = tuple[str, bytes, bytes]
METRIC_GROUPS: dict[TaskKind, tuple[MetricGroup, ...]] = {
    "survival": (
        MetricGroup(DISCRIMINATION, discrimination_metrics),
        MetricGroup(PREDICTION_ERROR, prediction_error_metrics),
        MetricGroup(RISK_GROUPS, risk_group_metrics),
        MetricGroup(SURVIVAL_CALIBRATION, survival_calibration_metrics),
    ),
    "binary": (
        MetricGroup(BINARY, binary_metrics),
        MetricGroup(BINARY_CALIBRATION, binary_calibration_metrics),
    ),
    "multiclass": (
        MetricGroup(MULTICLASS, multiclass_metrics),
        MetricGroup(MULTICLASS_CALIBRATION, multiclass_calibration_metrics),
    ),
}
"""To add metrics: name them and the function that builds them here."""
METRICS: dict[TaskKind, tuple[str, ...]] = {
    kind: tuple(name for group in groups for name in group.names)
    for kind, groups in METRIC_GROUPS.items()
}
"""Names in the order of ``metrics.csv``."""


class Resamples:
    """Patients drawn with replacement, and the metrics of blocks of rows on them.

    The draws depend on the patients and the seed only: models on the same patients share them.
    Hand one object to ``evaluate_predictions`` and ``compare_models`` and what the first computed
    is not computed again.

    Args:
        bootstraps: Number of resamples; 0 = none.
        seed: Seed of the draws.
    """

    def __init__(self, *, bootstraps: int = 1000, seed: int = 0) -> None:
        self.bootstraps, self.seed = bootstraps, seed
        self._known: dict[Fingerprint, list[ResampledMetric]] = {}
        self._last: tuple[npt.NDArray[Any], Counts] | None = None

    def counts(self, patient_id: "pd.Series[str]") -> Counts:
        """Return how often each row counts in each resample: (resample, row).

        Args:
            patient_id: (row,) Patient of each row.
        """
        patients = patient_id.to_numpy()
        if self._last is None or not np.array_equal(self._last[0], patients):
            # Only the last draw is kept: with 100,000 patients it takes 400 MB.
            drawn = resample_counts(patients, bootstraps=self.bootstraps, seed=self.seed)
            self._last = (patients, drawn)
        return self._last[1]

    def metrics(self, sample: TaskRows) -> "list[ResampledMetric]":
        """Return the metrics of one task on one block of rows."""
        return self.resampled(task_metrics(sample), sample.rows["patient_id"])

    def resampled(
        self, metrics: Sequence[TaskMetric], patient_id: "pd.Series[str]"
    ) -> "list[ResampledMetric]":
        """Return metrics of the same rows with their resamples.

        The sample's own values are computed at once, before any resample: metrics of one task share
        what they keep of the last draws, such as censoring weights.

        Args:
            metrics: Of one task.
            patient_id: (row,) Patient of each row.
        """
        found = [ResampledMetric(metric, patient_id, self) for metric in metrics]
        for metric in found:
            metric.compute_of_sample()
        return found

    def kept_metrics(self, sample: TaskRows) -> "list[ResampledMetric]":
        """Return the same, remembered: the next call with equal rows computes nothing."""
        key = (sample.kind, _fingerprint(sample.rows), _fingerprint(sample.train))
        if key not in self._known:
            self._known[key] = self.metrics(sample)
        return self._known[key]


@dataclass(frozen=True)
class ResampledMetric:
    """One metric with its values on the resamples, computed when first asked for.

    Attributes:
        metric: What is computed.
        patients: (row,) Patient of each row.
        resamples: Where the draws come from.
    """

    metric: TaskMetric
    patients: "pd.Series[str]"
    resamples: Resamples

    @cached_property
    def of_sample(self) -> float:
        """The metric of the sample itself by its statistic, NaN where it has none."""
        return point_value(self.metric.statistic, len(self.patients))

    def compute_of_sample(self) -> None:
        """Compute the metric of the sample now."""
        _ = self.of_sample

    @property
    def value(self) -> float:
        """The value for ``metrics.csv``: the cited library's, where there is one."""
        return self.of_sample if self.metric.value is None else self.metric.value

    @cached_property
    def values(self) -> FloatArray:
        """(resample,) values, NaN where undefined."""
        return self.metric.statistic(self.resamples.counts(self.patients))


def _fingerprint(rows: pd.DataFrame) -> bytes:
    """Return what tells a block of rows from every other: a hash of each row."""
    return bytes(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())


def task_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of one task; without any row, each with the reason for its absence."""
    if sample.rows.empty:
        reason = "no patient with a known outcome"
        return [TaskMetric(name, no_value, reason) for name in METRICS[sample.kind]]
    return [metric for group in METRIC_GROUPS[sample.kind] for metric in group.build(sample)]

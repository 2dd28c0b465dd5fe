"""Which metrics a task gets: the lists of each kind of task, put together."""

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
from mtl_hcc.metrics.survival.discrimination import DISCRIMINATION, discrimination_metrics
from mtl_hcc.metrics.survival.group_metrics import RISK_GROUPS, risk_group_metrics
from mtl_hcc.metrics.survival.prediction_error import PREDICTION_ERROR, prediction_error_metrics
from mtl_hcc.metrics.task_metric import MetricBuilder, TaskMetric, TaskRows, no_value

METRICS: dict[TaskKind, tuple[str, ...]] = {
    "survival": (*DISCRIMINATION, *PREDICTION_ERROR, *RISK_GROUPS, *SURVIVAL_CALIBRATION),
    "binary": (*BINARY, *BINARY_CALIBRATION),
    "multiclass": (*MULTICLASS, *MULTICLASS_CALIBRATION),
}
"""Names in the order of ``metrics.csv``."""
BUILDERS: dict[TaskKind, tuple[MetricBuilder, ...]] = {
    "survival": (
        discrimination_metrics,
        prediction_error_metrics,
        risk_group_metrics,
        survival_calibration_metrics,
    ),
    "binary": (binary_metrics, binary_calibration_metrics),
    "multiclass": (multiclass_metrics, multiclass_calibration_metrics),
}
"""To add metrics: add their names above and the function that builds them here."""


def task_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of one task; without any row, each with the reason for its absence."""
    if sample.rows.empty:
        reason = "no patient with a known outcome"
        return [TaskMetric(name, no_value, reason) for name in METRICS[sample.kind]]
    return [metric for build in BUILDERS[sample.kind] for metric in build(sample)]

"""Which metrics a task gets: the lists of each kind of task, put together."""

from mtl_hcc.metrics.classification.class_metrics import (
    BINARY,
    MULTICLASS,
    binary_metrics,
    multiclass_metrics,
)
from mtl_hcc.metrics.predictions import TaskKind
from mtl_hcc.metrics.survival.discrimination import DISCRIMINATION, discrimination_metrics
from mtl_hcc.metrics.survival.group_metrics import RISK_GROUPS, risk_group_metrics
from mtl_hcc.metrics.task_metric import MetricBuilder, TaskMetric, TaskRows, no_value

METRICS: dict[TaskKind, tuple[str, ...]] = {
    "survival": (*DISCRIMINATION, *RISK_GROUPS),
    "binary": BINARY,
    "multiclass": MULTICLASS,
}
"""Names in the order of ``metrics.csv``."""
BUILDERS: dict[TaskKind, tuple[MetricBuilder, ...]] = {
    "survival": (discrimination_metrics, risk_group_metrics),
    "binary": (binary_metrics,),
    "multiclass": (multiclass_metrics,),
}
"""To add metrics: add their names above and the function that builds them here."""


def task_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of one task; without any row, each with the reason for its absence."""
    if sample.rows.empty:
        reason = "no patient with a known outcome"
        return [TaskMetric(name, no_value, reason) for name in METRICS[sample.kind]]
    return [metric for build in BUILDERS[sample.kind] for metric in build(sample)]

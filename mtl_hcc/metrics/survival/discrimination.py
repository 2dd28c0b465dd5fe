"""Which metrics of discrimination a survival task gets: do higher risks have earlier events?"""

import pandas as pd

from mtl_hcc.metrics.survival.concordance import concordance_statistic, why_not_concordance
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, fold_notes

DISCRIMINATION = ("concordance_harrell",)
"""Names in the order of ``metrics.csv``."""


def discrimination_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of discrimination of one survival task."""
    rows = sample.rows
    statistic = concordance_statistic(
        rows["risk"], rows["time_days"], rows["event"], strata=rows["fold"]
    )
    value = None if rows["fold"].nunique() > 1 else concordance_sksurv(rows)
    return [
        TaskMetric(
            "concordance_harrell",
            statistic,
            why_not_concordance(rows["event"]),
            fold_notes(rows),
            value=value,
        )
    ]


def concordance_sksurv(rows: pd.DataFrame) -> float | None:
    """Return scikit-survival's C-index, which the published studies cite; ``None`` without pairs.

    Args:
        rows: ``risk, time_days, event`` of one model.
    """
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    event = rows["event"].to_numpy(dtype=bool)
    if not event.any() or len(rows) < 2:
        return None
    try:
        found = concordance_index_censored(event, rows["time_days"], rows["risk"])
    except NoComparablePairException:
        return None
    return float(found[0])

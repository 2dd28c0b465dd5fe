"""Which metrics of prediction error a survival task gets: are the probabilities near the truth?"""

from mtl_hcc.metrics.survival.brier import (
    brier_statistic,
    integrated_brier_statistic,
    scaled_brier_statistic,
)
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM, CensoringWeights
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

PREDICTION_ERROR = ("brier", "brier_scaled", "integrated_brier")
"""Names in the order of ``metrics.csv``."""
SCALED_NOTE = "1 - Brier score over that of the rows' own Kaplan-Meier estimate for everybody"


def prediction_error_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the Brier scores of one survival task with columns ``survival_<days>``."""
    horizons = predicted_horizons(sample.rows)
    if not horizons:
        reason = "no column survival_<days>"
        return [TaskMetric(name, no_value, reason) for name in PREDICTION_ERROR]
    censoring = CensoringWeights(sample.rows)
    why_not = {days: _why_not(sample, days, told) for days, told in task_horizons(sample).items()}
    nobody = "nobody is followed up to the horizon"
    metrics = []
    for name, statistic, notes in (
        ("brier", brier_statistic, (WEIGHTS_FROM,)),
        ("brier_scaled", scaled_brier_statistic, (SCALED_NOTE, WEIGHTS_FROM)),
    ):
        for days, reason in why_not.items():
            found = no_value if reason else statistic(sample, censoring, days)
            metrics.append(TaskMetric(name, found, reason or nobody, notes, horizon_days=days))
    inside = [days for days, reason in why_not.items() if not reason]
    if len(inside) < 2:
        reason = f"two usable horizons are needed, found {len(inside)}"
        return [*metrics, TaskMetric("integrated_brier", no_value, reason)]
    rule = f"trapezoid over days {', '.join(map(str, inside))}"
    integrated = integrated_brier_statistic(sample, censoring, inside)
    notes = (rule, WEIGHTS_FROM)
    return [*metrics, TaskMetric("integrated_brier", integrated, nobody, notes)]


def _why_not(sample: TaskRows, days: int, reason: str) -> str:
    """Return why there is no Brier score at a horizon, empty if there is one."""
    empty = int(sample.rows[f"survival_{days}"].isna().sum())
    return reason or (f"survival_{days} is empty for {empty} patients" if empty else "")

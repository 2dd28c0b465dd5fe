"""Does a new model move patients in the right direction by a horizon? NRI and IDI, censored."""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.statistic import Counts, FloatArray, Statistic
from mtl_hcc.metrics.survival.auc_at_horizon import cases_and_controls
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM, CensoringWeights
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

NO_CASES = "nobody has the event by then, or nobody is followed beyond"


def reclassification_at_horizons(new: TaskRows, old: pd.DataFrame) -> list[TaskMetric]:
    """Return continuous NRI and IDI of two models at each horizon that both predict.

    Args:
        new: Rows of a survival task with ``survival_<days>``, and its train rows.
        old: The rows of the other model, in the same order.
    """
    if new.rows.empty:
        return []
    censoring = CensoringWeights(new.rows)
    both = [days for days in predicted_horizons(new.rows) if days in predicted_horizons(old)]
    reasons = task_horizons(new)
    metrics = []
    for days in both:
        # The predicted probability of the event is one minus that of being free of it.
        rise = (old[f"survival_{days}"] - new.rows[f"survival_{days}"]).to_numpy(np.float64)
        for name, change in (("nri_continuous", np.sign(rise)), ("idi", rise)):
            statistic: Statistic = no_value
            if not reasons[days]:
                statistic = mean_difference_statistic(new.rows, censoring, days, change)
            why_not = reasons[days] or NO_CASES
            notes = (WEIGHTS_FROM,)
            metrics.append(TaskMetric(name, statistic, why_not, notes, horizon_days=days))
    return metrics


def mean_difference_statistic(
    rows: pd.DataFrame, censoring: CensoringWeights, days: float, change: FloatArray
) -> Statistic:
    r"""Return the mean change of the cases minus that of the controls, as a function of counts.

    .. math:: \frac{\sum_i \delta_i [t_i \le h] G(t_i^-)^{-1} c_i}{\sum_i \delta_i [t_i \le h]
        G(t_i^-)^{-1}} - \frac{\sum_j [t_j > h] G(h)^{-1} c_j}{\sum_j [t_j > h] G(h)^{-1}}

    With the change c of the predicted probability of the event this is the integrated
    discrimination improvement, with its sign the continuous net reclassification improvement
    (Pencina et al., Statistics in Medicine 2011;30:11-21), both weighted by the inverse
    probability of being censored (Uno et al., Statistics in Medicine 2013;32:2430-2442).

    Args:
        rows: ``time_days, event`` of one survival task.
        censoring: Their censoring curve.
        days: The horizon h.
        change: (row,) NaN = not predicted at this horizon.
    """
    case, control = cases_and_controls(rows, days)

    def difference(counts: Counts) -> FloatArray:
        values = np.empty(len(counts))
        for part, heights in censoring.blocks(counts):
            block = counts[part]
            cases = block * censoring.event_weights(heights) * case
            controls = block * censoring.horizon_weights(heights, days)
            controls = np.where(control, controls, 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                means = [side @ change / side.sum(axis=1) for side in (cases, controls)]
            values[part] = means[0] - means[1]
        return values

    return difference

"""How well risks tell who has the event by a horizon: cumulative/dynamic ROC curve and AUC."""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.lower_risk import LowerRisk
from mtl_hcc.metrics.statistic import BoolArray, Counts, FloatArray, Statistic
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.task_metric import TaskRows


def auc_at_horizon_statistic(
    sample: TaskRows, censoring: CensoringWeights, days: float
) -> Statistic:
    r"""Return the cumulative/dynamic AUC [1]_ at a horizon h as a function of the counts.

    Cases have the event by then, controls are event-free beyond it; those censored before count
    for neither, and each case stands for those of its time:

    .. math:: \mathrm{AUC}(h) = \frac{\sum_{i,j} \delta_i [t_i \le h] [t_j > h] G(t_i^-)^{-1}
        ([r_i > r_j] + \tfrac12 [r_i = r_j])}{\sum_{i,j} \delta_i [t_i \le h] [t_j > h]
        G(t_i^-)^{-1}}

    Equal to R's ``riskRegression::Score``; scikit-survival takes G(t) in place of G(t-), which
    differs only where an event ties with a censoring. Only equal risks tie. Pairs within a fold.

    Args:
        sample: Rows of one survival task.
        censoring: The censoring curve of its rows.
        days: The horizon.

    References:
        .. [1] Uno et al., JASA 2007;102:527-537. Hung and Chiang, Canadian Journal of Statistics
           2010;38:8-26.
    """
    rows = sample.rows
    risk = rows["risk"].to_numpy(np.float64)
    case, control = cases_and_controls(rows, days)
    folds = rows["fold"].to_numpy()
    groups = [
        LowerRisk(
            risk,
            of=np.flatnonzero(case & (folds == fold)),
            among=np.flatnonzero(control & (folds == fold)),
        )
        for fold in np.unique(folds)
    ]

    def auc(counts: Counts) -> FloatArray:
        values = np.empty(len(counts))
        for part, heights in censoring.blocks(counts):
            block = counts[part]
            right, pairs = np.zeros(len(block)), np.zeros(len(block))
            for lower in groups:
                of_cases = censoring.event_weights(heights, lower.of)
                of_cases *= block.take(lower.of, axis=1)
                right += np.einsum("rc,rc->r", of_cases, lower(block))
                controls = block.take(lower.among, axis=1).sum(axis=1, dtype=np.float64)
                pairs += of_cases.sum(axis=1) * controls
            with np.errstate(invalid="ignore", divide="ignore"):
                values[part] = right / pairs
        return values

    return auc


def cases_and_controls(rows: pd.DataFrame, days: float) -> tuple[BoolArray, BoolArray]:
    """Return who has the event by the horizon, and who is event-free beyond it."""
    time, event = rows["time_days"].to_numpy(np.float64), rows["event"].to_numpy(bool)
    return event & (time <= days), time > days

"""Which metrics of discrimination a survival task gets: do higher risks have earlier events?"""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, Statistic
from mtl_hcc.metrics.pair_counts import LowerRiskCount
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM, CensoringWeights, cases_and_controls
from mtl_hcc.metrics.survival.concordance import (
    concordance_statistic,
    truncation_time,
    uno_statistic,
    why_not_concordance,
)
from mtl_hcc.metrics.survival.horizons import last_follow_up, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, fold_notes, no_value

DISCRIMINATION = ("concordance_harrell", "concordance_uno", "auc_td")
"""Names in the order of ``metrics.csv``."""
LIBRARY_UP_TO = 2_000
"""Patients up to which scikit-survival's own C-index is taken; it looks at every pair."""
FEW_CASES = 20
"""Cases below which the percentile interval of an AUC near 0.85 misses the truth too often (it then
lies below): in about 10% of cohorts with 10 to 19 cases, in 16% with fewer."""


def discrimination_metrics(sample: TaskRows) -> list[TaskMetric]:
    """Return the metrics of discrimination of one survival task."""
    rows = sample.rows
    censoring = CensoringWeights(rows)
    why_not = why_not_concordance(rows["event"])
    harrell = concordance_statistic(
        rows["risk"], rows["time_days"], rows["event"], strata=rows["fold"]
    )
    single = rows["fold"].nunique() == 1 and len(rows) <= LIBRARY_UP_TO
    value = concordance_sksurv(rows) if single else None
    tau = truncation_time(sample, censoring)
    uno = uno_statistic(sample, censoring, tau)
    notes = (f"events up to day {tau:g}", WEIGHTS_FROM, *fold_notes(rows))
    return [
        TaskMetric("concordance_harrell", harrell, why_not, fold_notes(rows), value=value),
        TaskMetric("concordance_uno", uno, why_not, notes),
        *_auc_at_horizons(sample, censoring),
    ]


def _auc_at_horizons(sample: TaskRows, censoring: CensoringWeights) -> list[TaskMetric]:
    """Return the AUC at each horizon, or one empty metric when there is no horizon."""
    rows, metrics = sample.rows, []
    for days, reason in task_horizons(sample).items():
        statistic = no_value if reason else auc_at_horizon_statistic(sample, censoring, days)
        reason = reason or f"nobody has the event by day {days}, or nobody is event-free beyond it"
        notes = ("cumulative/dynamic", *_few_cases(rows, days), WEIGHTS_FROM, *fold_notes(rows))
        metrics.append(TaskMetric("auc_td", statistic, reason, notes, horizon_days=days))
    if not metrics:
        reason = f"the follow-up ends on day {last_follow_up(sample):g}, before the first horizon"
        metrics.append(TaskMetric("auc_td", no_value, reason))
    return metrics


def _few_cases(rows: pd.DataFrame, days: float) -> tuple[str, ...]:
    """Return a warning when an interval rests on few cases."""
    case, _ = cases_and_controls(rows, days)
    number = rows.loc[case, "patient_id"].nunique()
    if number >= FEW_CASES:
        return ()
    return (f"only {number} patients with the event by then, so the interval is too narrow",)


def concordance_sksurv(rows: pd.DataFrame) -> float | None:
    """Return scikit-survival's C-index, which the published studies cite; ``None`` without pairs.

    Only equal risks tie, see :func:`~mtl_hcc.metrics.survival.concordance.concordance_harrell`.

    Args:
        rows: ``risk, time_days, event`` of one model.
    """
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    event = rows["event"].to_numpy(dtype=bool)
    if not event.any() or len(rows) < 2:
        return None
    try:
        # Without a comparable pair the library raises, or divides by zero where times tie.
        with np.errstate(invalid="ignore"):
            found = concordance_index_censored(event, rows["time_days"], rows["risk"], tied_tol=0)[
                0
            ]
    except NoComparablePairException:
        return None
    return float(found) if np.isfinite(found) else None


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
        LowerRiskCount(
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

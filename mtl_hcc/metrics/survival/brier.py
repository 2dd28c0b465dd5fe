"""How far predicted survival is from what happened: the Brier scores of a survival task."""

import numpy as np

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, Statistic
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM, CensoringWeights, cases_and_controls
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.survival.product_limit import ProductLimit
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


def brier_statistic(
    sample: TaskRows,
    censoring: CensoringWeights,
    days: float,
) -> Statistic:
    r"""Return the Brier score [1]_ at a horizon h as a function of the counts.

    .. math:: B(h) = \frac{1}{\sum_i w_i} \sum_i w_i \left(
        \frac{\delta_i [t_i \le h] S_i(h)^2}{G(t_i^-)}
        + \frac{[t_i > h] (1 - S_i(h))^2}{G(h)} \right)

    Equal to R's ``riskRegression::Score``; scikit-survival takes G(t) in place of G(t-), which
    differs only where an event ties with a censoring.

    Args:
        sample: Rows of one survival task.
        censoring: The censoring curve of its rows.
        days: The horizon; the probabilities stand in the column ``survival_<days>``.

    References:
        .. [1] Graf et al., Statistics in Medicine 1999;18:2529-2545.
    """
    surviving = sample.rows[f"survival_{days:g}"].to_numpy(np.float64)
    weighted = _Weighted(sample, censoring, days)

    def brier(counts: Counts) -> FloatArray:
        values = np.empty(len(counts))
        for part, heights in censoring.blocks(counts):
            cases, controls = weighted(counts[part], heights)
            wrong = cases @ surviving[weighted.case] ** 2
            wrong += controls @ (1 - surviving[weighted.control]) ** 2
            values[part] = wrong / counts[part].sum(axis=1, dtype=np.float64)
        return values

    return brier


class _Weighted:
    """Cases and controls of a horizon, each counted for those like it that are censored."""

    def __init__(self, sample: TaskRows, censoring: CensoringWeights, days: float) -> None:
        case, control = cases_and_controls(sample.rows, days)
        self.case, self.control = np.flatnonzero(case), np.flatnonzero(control)
        self.censoring, self.days = censoring, days

    def __call__(self, counts: Counts, heights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the weights (resample, case) and (resample, control)."""
        cases = self.censoring.event_weights(heights, self.case)
        cases *= counts.take(self.case, axis=1)
        beyond = self.censoring.horizon_weights(heights, self.days)
        return cases, counts.take(self.control, axis=1) * beyond


def scaled_brier_statistic(sample: TaskRows, censoring: CensoringWeights, days: float) -> Statistic:
    r"""Return one minus the Brier score over that of a model that knows nobody apart.

    That model predicts the Kaplan-Meier estimate of the rows for everybody. 1 is perfect, 0 as good
    as that model, below 0 worse: R's index of prediction accuracy
    (``riskRegression::Score(summary = "ipa")``; Kattan and Gerds, Diagnostic and Prognostic
    Research 2018;2:7).

    Args: see :func:`brier_statistic`.
    """
    surviving = sample.rows[f"survival_{days:g}"].to_numpy(np.float64)
    weighted = _Weighted(sample, censoring, days)
    curve = ProductLimit(sample.rows["time_days"], sample.rows["event"], of="event")
    place = int(curve.after(days))

    wrong_case, wrong_control = surviving[weighted.case], 1 - surviving[weighted.control]

    def scaled(counts: Counts) -> FloatArray:
        values = np.empty(len(counts))
        for part, heights in censoring.blocks(counts):
            everybody = curve(counts[part])[:, place]
            cases, controls = weighted(counts[part], heights)
            model = cases @ wrong_case**2 + controls @ wrong_control**2
            null = cases.sum(axis=1) * everybody**2 + controls.sum(axis=1) * (1 - everybody) ** 2
            with np.errstate(invalid="ignore", divide="ignore"):
                values[part] = 1 - model / null
        return values

    return scaled


def integrated_brier_statistic(
    sample: TaskRows, censoring: CensoringWeights, horizons: list[int]
) -> Statistic:
    """Return the mean Brier score between the first and the last horizon (trapezoid rule).

    Args:
        sample: Rows of one survival task.
        censoring: The censoring curve of its rows.
        horizons: Two or more, ascending.
    """
    single = [brier_statistic(sample, censoring, days) for days in horizons]

    def integrated(counts: Counts) -> FloatArray:
        scores = np.stack([statistic(counts) for statistic in single])
        middle = (scores[1:] + scores[:-1]) / 2
        mean: FloatArray = np.diff(horizons) @ middle / (horizons[-1] - horizons[0])
        return mean

    return integrated

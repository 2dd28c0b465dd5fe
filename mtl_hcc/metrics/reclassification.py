"""Does a new model move patients in the right direction? NRI and IDI of two models' predictions.

They are reported because reviewers ask for them; both can favor an ill-calibrated model (Hilden and
Gerds, Statistics in Medicine 2014;33:3405-3414), so read them beside AUC and calibration.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, Statistic, in_blocks
from mtl_hcc.metrics.classification.auc import ONE_CLASS
from mtl_hcc.metrics.survival.censoring import WEIGHTS_FROM, CensoringWeights, cases_and_controls
from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows, no_value

NO_CASES = "nobody has the event by then, or nobody is followed beyond"


def reclassification_metrics(new: pd.DataFrame, old: pd.DataFrame) -> list[TaskMetric]:
    """Return NRI (at the threshold and continuous) and IDI of two models on the same rows.

    Args:
        new: Rows of a two-class task: ``label, probability, threshold``.
        old: Those of the other model, in the same order.
    """
    label = new["label"]
    at_cut: Statistic = no_value
    if not (new["threshold"].isna().any() or old["threshold"].isna().any()):
        decisions = [rows["probability"] >= rows["threshold"] for rows in (new, old)]
        at_cut = nri_statistic(label, *decisions)
    cuts = pd.concat([new["threshold"], old["threshold"]]).drop_duplicates()
    at = "threshold " + ", ".join(f"{cut:.4g}" for cut in cuts)
    why_not = ONE_CLASS if at_cut is not no_value else "no threshold of both models"
    scores = (new["probability"], old["probability"])
    return [
        TaskMetric("nri", at_cut, why_not, (at,)),
        TaskMetric("nri_continuous", nri_statistic(label, *scores), ONE_CLASS),
        TaskMetric("idi", idi_statistic(label, *scores), ONE_CLASS),
    ]


def nri_statistic(label: npt.ArrayLike, new: npt.ArrayLike, old: npt.ArrayLike) -> Statistic:
    r"""Return the net reclassification improvement of a new model as a function of counts.

    .. math:: \mathrm{NRI} = P(\mathrm{up} \mid 1) - P(\mathrm{down} \mid 1)
        + P(\mathrm{down} \mid 0) - P(\mathrm{up} \mid 0)

    (Pencina et al., Statistics in Medicine 2008;27:157-172). With probabilities any rise is "up":
    the continuous NRI, from -2 to 2 (Pencina et al. 2011;30:11-21). With decisions (0 and 1) only
    a change of class counts: the categorical NRI at that cut-off, which equals the gain in
    sensitivity plus that in specificity.

    Args:
        label: (patient,) 0 or 1.
        new: (patient,) Probabilities, or decisions, of the new model.
        old: (patient,) Of the model that it is compared with.
    """
    moved = np.sign(np.asarray(new, dtype=np.float64) - np.asarray(old, dtype=np.float64))
    return _mean_difference(label, moved)


def idi_statistic(label: npt.ArrayLike, new: npt.ArrayLike, old: npt.ArrayLike) -> Statistic:
    r"""Return the integrated discrimination improvement of a new model as a function of counts.

    .. math:: \mathrm{IDI} = \overline{(p_{new} - p_{old})}_{1} - \overline{(p_{new} - p_{old})}_{0}

    the rise of the mean probability of the positives minus that of the negatives (Pencina et al.,
    Statistics in Medicine 2008;27:157-172).

    Args: see :func:`nri_statistic`.
    """
    change = np.asarray(new, dtype=np.float64) - np.asarray(old, dtype=np.float64)
    return _mean_difference(label, change)


def _mean_difference(label: npt.ArrayLike, change: FloatArray) -> Statistic:
    """Mean change of the positives minus that of the negatives, NaN without either."""
    positive = np.asarray(label) == 1
    sides = np.stack([positive * change, positive, ~positive * change, ~positive], axis=1)

    def difference(counts: Counts) -> FloatArray:
        sums = counts.astype(np.float64) @ sides.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            values: FloatArray = sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]
        return values

    return in_blocks(difference, len(sides))


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

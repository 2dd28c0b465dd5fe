"""Does a new model move patients in the right direction? NRI and IDI of two models' probabilities.

They are reported because reviewers ask for them; both can favor an ill-calibrated model (Hilden and
Gerds, Statistics in Medicine 2014;33:3405-3414), so read them beside AUC and calibration.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.statistic import Counts, FloatArray, Statistic, in_blocks
from mtl_hcc.metrics.task_metric import TaskMetric, no_value

ONE_CLASS = "only one class among the labels"


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

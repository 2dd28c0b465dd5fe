"""A decision curve: net benefit over thresholds, with intervals, of models, of all and of none."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts
from mtl_hcc.metrics.decision.net_benefit import class_shares, net_benefit, survival_shares
from mtl_hcc.metrics.statistic import FloatArray

TREAT_ALL = "treat all"
TREAT_NONE = "treat none"


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per 100 patients of one strategy.

    Attributes:
        threshold: (threshold,) Probability from which a patient is treated.
        value: (threshold,) NaN where the survival of those treated is unknown.
        ci_low: (threshold,) Ends of the percentile interval; NaN where fewer than half of the
            resamples have a value, or none were asked for.
        ci_high: (threshold,)
    """

    threshold: FloatArray
    value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def decision_curves(
    models: Mapping[str, pd.DataFrame],
    threshold: npt.ArrayLike,
    *,
    horizon_days: int | None = None,
    bootstraps: int = 1000,
    seed: int = 0,
) -> dict[str, DecisionCurve]:
    """Return the decision curve of each model, of treating all and of treating none.

    Args:
        models: Name to rows with a known outcome; ``label, probability`` for a two-class task,
            ``time_days, event, survival_<days>`` for a survival task. All and none are judged on
            the patients of the first.
        threshold: (threshold,) Between 0 and 1.
        horizon_days: Of a survival task; ``None`` = two classes.
        bootstraps: Resamples of the patients; 0 = no intervals.
        seed: Of the resamples, shared by models of the same patients.
    """
    cuts = np.asarray(threshold, dtype=np.float64)
    curves = {}
    for name, rows in models.items():
        column = "probability" if horizon_days is None else f"survival_{horizon_days}"
        scores = rows[column].to_numpy(dtype=np.float64)
        scores = scores if horizon_days is None else 1 - scores
        curves[name] = _curve(rows, scores, cuts, horizon_days, bootstraps, seed)
    first = next(iter(models.values()))
    everybody = np.ones(len(first))
    curves[TREAT_ALL] = _curve(first, everybody, cuts, horizon_days, bootstraps, seed)
    nothing = np.zeros(len(cuts))
    curves[TREAT_NONE] = DecisionCurve(cuts, nothing, nothing, nothing)
    return curves


def _curve(
    rows: pd.DataFrame,
    scores: FloatArray,
    cuts: FloatArray,
    horizon_days: int | None,
    bootstraps: int,
    seed: int,
) -> DecisionCurve:
    if horizon_days is None:
        shares = class_shares(rows["label"], scores, cuts)
    else:
        shares = survival_shares(rows["time_days"], rows["event"], scores, cuts, horizon_days)
    value = net_benefit(shares, cuts, np.ones((1, len(rows)), dtype=np.float32))[0]
    if bootstraps == 0:
        empty = np.full(len(cuts), np.nan)
        return DecisionCurve(cuts, value, empty, empty)
    counts = resample_counts(rows["patient_id"], bootstraps=bootstraps, seed=seed)
    values = net_benefit(shares, cuts, counts)
    ends = np.array([percentile_interval(column) for column in values.T])
    return DecisionCurve(cuts, value, ends[:, 0], ends[:, 1])

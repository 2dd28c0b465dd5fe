"""Grouped calibration: predicted against observed in groups of similar predictions."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.calibration.survival_calibration import event_probability
from mtl_hcc.metrics.classification.proportions import wilson_interval
from mtl_hcc.metrics.statistic import FloatArray
from mtl_hcc.metrics.survival.kaplan_meier import kaplan_meier

GROUPS = 5
SMALLEST_GROUP = 10
"""Patients; with fewer than five times as many there are fewer groups."""
GROUP_COLUMNS = [
    "group",
    "n",
    "events",
    "predicted_low",
    "predicted_high",
    "predicted",
    "observed",
    "ci_low",
    "ci_high",
]


def calibration_groups(
    rows: pd.DataFrame, *, horizon_days: int | None = None, groups: int = GROUPS
) -> pd.DataFrame:
    """Return mean predicted and observed event probability by quantiles of the prediction.

    Observed is the share of positives with Wilson's interval for a two-class task, and one minus
    Kaplan-Meier at the horizon, with Greenwood's interval on the log-log scale, for a survival
    task. Equal predictions stay in one group. Where patients repeat (folds) there are no intervals,
    which assume that patients are independent.

    Args:
        rows: With a known outcome: ``label, probability`` or ``time_days, event,
            survival_<days>``.
        horizon_days: Of a survival task; ``None`` = two classes.
        groups: At most so many, of at least 10 rows each.

    Returns:
        A row per group, lowest predictions first. ``events`` counts those by the horizon.
    """
    if rows.empty:
        return pd.DataFrame(columns=GROUP_COLUMNS)
    if horizon_days is None:
        predicted = rows["probability"].to_numpy(dtype=np.float64)
    else:
        predicted = event_probability(rows, horizon_days)
    place = quantile_groups(predicted, min(groups, max(1, len(rows) // SMALLEST_GROUP)))
    records = []
    for number, group in enumerate(np.unique(place), start=1):
        inside = rows[place == group]
        inside_predicted = predicted[place == group]
        record = {
            "group": number,
            "n": len(inside),
            "predicted_low": inside_predicted.min(),
            "predicted_high": inside_predicted.max(),
            "predicted": inside_predicted.mean(),
        }
        records.append(record | _observed(inside, horizon_days))
    table = pd.DataFrame(records, columns=GROUP_COLUMNS)
    if rows["patient_id"].duplicated().any():
        table[["ci_low", "ci_high"]] = np.nan
    return table


def quantile_groups(predicted: FloatArray, groups: int) -> npt.NDArray[np.intp]:
    """Return the quantile group of each prediction, 0 the lowest; ties make fewer groups."""
    edges = np.unique(np.quantile(predicted, np.arange(1, groups) / groups))
    return np.searchsorted(edges, predicted, side="left")


def _observed(rows: pd.DataFrame, horizon_days: int | None) -> dict[str, float]:
    if horizon_days is None:
        events = float(rows["label"].sum())
        low, high = wilson_interval(events, len(rows))
        found = {"events": events, "observed": events / len(rows)}
        return {**found, "ci_low": low, "ci_high": high}
    survival, low, high = kaplan_meier(rows["time_days"], rows["event"]).at(horizon_days)
    events = float(((rows["event"] == 1) & (rows["time_days"] <= horizon_days)).sum())
    return {"events": events, "observed": 1 - survival, "ci_low": 1 - high, "ci_high": 1 - low}

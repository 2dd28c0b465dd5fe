"""How well the network does in each center that it never saw, and over such centers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.estimators.fitted_rows import UNSEEN
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.pooling import Pooled, logit_errors, pool_shares
from mtl_hcc.metrics.statistic import NotComputableError
from mtl_hcc.metrics.thresholds import TRAIN
from mtl_hcc.tables.main_metrics import main_rows

FEWEST_EVENTS = 5
"""A center with fewer events, or with fewer patients without, has no estimate."""

MOST_WITHOUT = 10
"""More centers than this without an estimate are summed up in one row."""


@dataclass(frozen=True)
class CenterValues:
    """One task over centers.

    Attributes:
        task: Name of the task.
        metric: C-index or AUC.
        centers: A row per center: ``center, split, n, events, value, ci_low, ci_high``, ``weight``
            (share in the pooled value), ``reason`` (why there is no estimate; empty when there is).
        pooled: Over the centers with an estimate; ``None`` with the ``reason``.
        reason: Why there is no pooled value.
        splits: Where the centers are from.
    """

    task: str
    metric: str
    centers: pd.DataFrame
    pooled: Pooled | None
    reason: str
    splits: tuple[str, ...]

    def shown(self) -> pd.DataFrame:
        """Return the centers to be shown; many without an estimate share one row."""
        without = self.centers["reason"] != ""
        number = int(without.sum())
        if number <= MOST_WITHOUT:
            return self.centers
        sums = self.centers.loc[without, ["n", "events"]].sum()
        reason = "too few events, or no interval"
        row = {"center": f"{number} centers", **sums.to_dict(), "reason": reason}
        shown = self.centers[~without].to_dict("records")
        return pd.DataFrame([*shown, row], columns=self.centers.columns)


def center_values(metrics: pd.DataFrame, predictions: pd.DataFrame) -> list[CenterValues]:
    """Return the values by center of each task of the first model, and pool them.

    Centers of all splits but train count, each patient once: where splits share patients
    (cross-validation), those of test and external only.

    Args:
        metrics: As ``metrics.csv``.
        predictions: Table of predictions: the center of a split with a single one.
    """
    rows = main_rows(metrics)
    if rows.empty:
        return []
    rows = rows[rows["model"] == rows["model"].iloc[0]]
    splits = _splits(predictions)
    rows = _single_centers(rows[rows["split"].isin(splits)], predictions)
    rows = rows[rows["center"] != ALL_CENTERS]
    found = []
    for (task, name), inside in rows.groupby(["task", "name"], sort=False):
        found.append(_pool(str(task), str(name), inside.reset_index(drop=True), splits))
    return found


def _splits(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the splits of unseen patients, no patient in two of them."""
    rows = predictions.loc[predictions["split"] != TRAIN, ["patient_id", "split"]]
    rows = rows.drop_duplicates()
    splits = [str(split) for split in rows["split"].unique()]
    if not rows["patient_id"].duplicated().any():
        return tuple(splits)
    return tuple(s for s in splits if s in UNSEEN) or tuple(splits[:1])


def _single_centers(rows: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Name the center of a split that has one: its rows are those of all centers."""
    centers = predictions.groupby("split")["center"].unique()
    single = {str(split): str(names[0]) for split, names in centers.items() if len(names) == 1}
    named = rows["split"].map(single)
    return rows.assign(center=named.where(named.notna(), rows["center"]))


def _pool(task: str, name: str, rows: pd.DataFrame, splits: Sequence[str]) -> CenterValues:
    reasons = [
        _why_not(value, low, high, n, events, method)
        for value, low, high, n, events, method in zip(
            rows["value"], rows["ci_low"], rows["ci_high"], rows["n"], rows["events"],
            rows["method"], strict=True,
        )
    ]  # fmt: skip
    if rows["center"].duplicated().any():
        rows = rows.assign(center=rows["center"] + ", " + rows["split"])
    centers = rows.assign(reason=reasons, weight=np.nan)
    usable = centers["reason"] == ""
    pooled, reason = None, ""
    try:
        inside = centers[usable]
        pooled = pool_shares(
            inside["value"].tolist(), inside["ci_low"].tolist(), inside["ci_high"].tolist()
        )
        centers.loc[usable, "weight"] = pooled.weights
    except NotComputableError as error:
        reason = f"not pooled: {error} with an estimate"
    columns = ["center", "split", "n", "events", "value", "ci_low", "ci_high", "weight", "reason"]
    return CenterValues(task, name, centers[columns], pooled, reason, tuple(splits))


def _why_not(value: float, low: float, high: float, n: float, events: float, method: str) -> str:
    """Return why a center has no estimate; empty when it has."""
    if events < FEWEST_EVENTS:
        return f"too few events ({events:.0f})"
    if n - events < FEWEST_EVENTS:
        return f"too few without event ({n - events:.0f})"
    if np.isnan(value):
        return method
    if np.isnan(logit_errors([low], [high])).any():
        return "the interval reaches 0 or 1"
    return ""

"""How well the network does in each center that it never saw, and over such centers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.estimators.fitted_rows import UNSEEN, fitted_on_train
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.pooling import Pooled, logit_errors, pool_shares
from mtl_hcc.split_names import TRAIN
from mtl_hcc.tables.key_results_table import main_rows
from mtl_hcc.tables.printed_numbers import p_text, value_text

PRINTED = ["Task", "Metric", "Center", "Patients", "Events", "Value (95% CI)", "Weight", "Note"]
NUMBERS = ["value", "ci_low", "ci_high"]
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


def by_center(
    metrics: pd.DataFrame, predictions: pd.DataFrame, models: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return C-index or AUC of the first model in every unseen center, pooled by random effects.

    Args:
        metrics: As ``metrics.csv``.
        predictions: Table of predictions.
        models: Where each was fitted, if that is known.

    Returns:
        A row per task and center, and one of the pooled value with its prediction interval, I2 and
        tau2, or of the reason why there is none: columns for print (capitals), and the numbers
        behind them.
    """
    tasks = center_values(metrics, predictions)
    records = [record for task in tasks for record in _records(task)]
    table = pd.DataFrame(records, columns=[*PRINTED, *NUMBERS])
    table.attrs["caption"] = pooling_caption(tasks, models)
    return table


def pooling_caption(tasks: list[CenterValues], models: pd.DataFrame | None = None) -> str:
    """Return how centers are pooled, for the caption of the table and of the figure."""
    if not tasks:
        return "No unseen center has a C-index or an AUC."
    seen = (
        ", which the network was not trained on"
        if fitted_on_train(models)
        else "; it is not known whether the model was trained on them"
    )
    return (
        f"C-index (survival) and AUC (classes) by center, of the {' and '.join(tasks[0].splits)} "
        f"rows{seen}. Pooled: random effects (restricted maximum likelihood, "
        "Hartung and Knapp's modified interval) on the logit scale, with standard "
        "errors from the 95% intervals of the centers. A center with fewer than "
        f"{FEWEST_EVENTS} events, or fewer than {FEWEST_EVENTS} patients without, is not "
        "estimable; fewer than three centers with an estimate are not pooled. With few centers the "
        "interval is wide. PI: prediction interval, where the "
        "value of another center is expected."
    )


def pooled_name(values: CenterValues) -> str:
    """Return how the last row is called: pooled, or not."""
    if values.pooled is None:
        return "Not pooled"
    return f"Pooled ({(values.centers['reason'] == '').sum()} centers)"


def heterogeneity(values: CenterValues) -> str:
    """Return the prediction interval, I2, tau2 and the p of no difference between centers."""
    pooled = values.pooled
    if pooled is None:
        return values.reason
    return (
        f"PI {pooled.prediction_low:.2f}-{pooled.prediction_high:.2f}; I2 {pooled.i2:.0f}%, "
        f"tau2 {pooled.tau2:.2f}, p of equal centers {p_text(pooled.q_p)}"
    )


def _records(values: CenterValues) -> list[dict[str, object]]:
    same = {"Task": readable_name(values.task), "Metric": values.metric}
    records: list[dict[str, object]] = []
    for row in values.shown().to_dict("records"):
        estimable = not row["reason"]
        interval = value_text(row["value"], row["ci_low"], row["ci_high"])
        records.append(
            {
                **same,
                "Center": row["center"],
                "Patients": f"{row['n']:.0f}",
                "Events": f"{row['events']:.0f}",
                "Value (95% CI)": interval if estimable else "not estimable",
                "Weight": "" if pd.isna(row["weight"]) else f"{100 * row['weight']:.0f}%",
                "Note": row["reason"],
                **({name: row[name] for name in NUMBERS} if estimable else {}),
            }
        )
    pooled = {"Center": pooled_name(values), "Note": heterogeneity(values)}
    found = values.pooled
    if found is None:
        empty = dict.fromkeys(("Patients", "Events", "Weight"), "")
        return [*records, {**same, **pooled, **empty, "Value (95% CI)": "-"}]
    used = values.centers[values.centers["reason"] == ""]
    pooled |= {"Patients": f"{used['n'].sum():.0f}", "Events": f"{used['events'].sum():.0f}"}
    interval = value_text(found.value, found.ci_low, found.ci_high)
    numbers = {"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}
    return [*records, {**same, **pooled, "Value (95% CI)": interval, "Weight": "", **numbers}]

"""Does a model do as well here as there? Two groups of patients: splits, or centers of a split."""

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.auc import delong_unpaired
from mtl_hcc.metrics.comparisons import holm_by
from mtl_hcc.metrics.paired import Record, auc_scores, why_not_compared, with_interval
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.resamples import ResampledMetric, Resamples
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.thresholds import Threshold, with_threshold
from mtl_hcc.split_names import TRAIN

GroupColumn = Literal["split", "center"]
GROUP_COLUMNS = [
    "model",
    "split",
    "task",
    "metric",
    "horizon_days",
    "group_a",
    "group_b",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "n_a",
    "n_b",
    "method",
]
FAMILY = ["model", "split", "task", "metric", "horizon_days"]
ALL_SPLITS = "all"


def compare_groups(
    predictions: pd.DataFrame,
    *,
    by: GroupColumn,
    bootstraps: int = 1000,
    seed: int = 0,
    threshold: Threshold = 0.5,
    resamples: Resamples | None = None,
) -> pd.DataFrame:
    """Compare each model's metrics between independent groups of patients, every two of them.

    AUC by DeLong's unpaired test, every other metric by the unpaired bootstrap: each group is
    resampled by itself, its censoring weights come from itself, and cut-offs are those of
    ``evaluate_predictions``.

    Args:
        predictions: Table of predictions.
        by: ``"split"`` (e.g. validation against external), or ``"center"`` within each split.
        bootstraps: Resamples of the patients of each group.
        seed: Seed of the resamples.
        threshold: Cut-off of two-class tasks, or ``"youden"``.
        resamples: In place of ``bootstraps`` and ``seed``: that of ``evaluate_predictions``.

    Returns:
        One row per model, split (``all`` when splits are compared), task, metric and pair;
        ``difference`` is group a minus group b, ``p_holm`` corrected for the number of pairs.
        Groups that share patients (folds) are not independent and say so in ``method``.
    """
    table = with_threshold(check_predictions(predictions), threshold)
    resamples = resamples or Resamples(bootstraps=bootstraps, seed=seed)
    records: list[Record] = []
    for (model, task), rows in table.groupby(["model", "task"], sort=False):
        kind = task_kind(rows)
        train = with_outcome(rows[rows["split"] == TRAIN], kind)
        for split, inside in _within(rows, by):
            groups = {
                str(name): TaskRows(with_outcome(group, kind), train, kind)
                for name, group in inside.groupby(by, sort=False)
            }
            for a, b in combinations(groups, 2):
                place = {"model": model, "split": split, "task": task, "group_a": a, "group_b": b}
                pair = _compare(groups[a], groups[b], resamples)
                records += [{**place, **record} for record in pair]
    compared = pd.DataFrame(records, columns=GROUP_COLUMNS)
    numbers = ["horizon_days", "difference", "ci_low", "ci_high", "p"]
    compared[numbers] = compared[numbers].astype(float)
    compared["p_holm"] = holm_by(compared, FAMILY)
    return compared.astype({"n_a": "Int64", "n_b": "Int64"})


def _within(rows: pd.DataFrame, by: GroupColumn) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows among which groups are compared, with the name of their split."""
    if by == "split":
        yield ALL_SPLITS, rows
    else:
        for split, inside in rows.groupby("split", sort=False):
            yield str(split), inside


def _compare(a: TaskRows, b: TaskRows, resamples: Resamples) -> list[Record]:
    """Compare two groups of patients, metric by metric."""
    size = {"n_a": a.rows["patient_id"].nunique(), "n_b": b.rows["patient_id"].nunique()}
    shared = set(a.rows["patient_id"]) & set(b.rows["patient_id"])
    of_b = {
        (found.metric.name, found.metric.horizon_days): found for found in resamples.kept_metrics(b)
    }
    records: list[Record] = []
    for of_a in resamples.kept_metrics(a):
        key = (of_a.metric.name, of_a.metric.horizon_days)
        record: Record = {"metric": key[0], "horizon_days": key[1], **size}
        if shared:
            reason = f"{len(shared)} patients are in both groups (folds): not independent"
            records.append({**record, "method": reason})
        elif key in of_b:
            found = _delong(key[0], a, b) or _unpaired(of_a, of_b[key])
            records.append({**record, **found})
    return records


def _delong(name: str, a: TaskRows, b: TaskRows) -> Record | None:
    """Compare two AUCs; ``None`` where DeLong's test does not apply."""
    of_a, of_b = auc_scores(name, a.rows, a.kind), auc_scores(name, b.rows, b.kind)
    if of_a is None or of_b is None or max(a.rows["fold"].nunique(), b.rows["fold"].nunique()) > 1:
        return None
    try:
        difference, low, high, p = delong_unpaired(*of_a, *of_b)
    except NotComputableError:
        return None
    ends = {"difference": difference, "ci_low": low, "ci_high": high, "p": p}
    return {**ends, "method": "delong_unpaired"}


def _unpaired(a: ResampledMetric, b: ResampledMetric) -> Record:
    """Compare a metric of two groups, each with resamples of its own."""
    reason = why_not_compared(a, b)
    if reason:
        return {"method": reason}
    # Groups of one size share their draws; a shuffle makes them independent again.
    shuffled = np.random.default_rng(a.resamples.seed + 1).permutation(b.values)
    with np.errstate(invalid="ignore"):  # a ratio may be infinite in both
        differences = a.values - shuffled
    return with_interval(a.of_sample - b.of_sample, differences, "unpaired_bootstrap")

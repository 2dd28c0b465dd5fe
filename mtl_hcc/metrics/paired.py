"""Two models on the same patients: DeLong's test for the AUC, else the paired bootstrap."""

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import (
    FloatArray,
    NotComputableError,
    percentile_interval,
    two_sided_p,
)
from mtl_hcc.metrics.classification.auc import delong_difference
from mtl_hcc.metrics.predictions import class_columns
from mtl_hcc.metrics.reclassification import reclassification_at_horizons, reclassification_metrics
from mtl_hcc.metrics.resamples import METRICS, ResampledMetric, Resamples
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows

OUTCOMES = ["time_days", "event", "label"]
Record = dict[str, object]
Metrics = dict[tuple[str, float | None], ResampledMetric]
"""By name and horizon."""


@dataclass(frozen=True)
class ModelOnSplit:
    """A model on one split of one task.

    Attributes:
        name: Of the model.
        sample: Its rows.
        resamples: Whose draws all models share.
    """

    name: str
    sample: TaskRows
    resamples: Resamples

    @cached_property
    def own_metrics(self) -> Metrics:
        """Its metrics on all of its rows: evaluated already, and shared by all pairs."""
        return _by_key(self.resamples.kept_metrics(self.sample))

    def metrics(self, rows: pd.DataFrame, train: pd.DataFrame) -> Metrics:
        """Return its metrics on the rows that it has in common with another model."""
        if (len(rows), len(train)) == (len(self.sample.rows), len(self.sample.train)):
            return self.own_metrics
        common = replace(self.sample, rows=rows, train=train)
        return _by_key(self.resamples.kept_metrics(common))


def compare_pair(first: ModelOnSplit, second: ModelOnSplit) -> list[Record]:
    """Compare two models on the patients that both predict.

    Args:
        first: Model a.
        second: Model b.

    Returns:
        ``metric, horizon_days, difference, ci_low, ci_high, p, method, n, dropped`` per metric.
    """
    sample_a, sample_b = first.sample, second.sample
    if sample_a.kind != sample_b.kind:
        reason = f"one model predicts this task as {sample_a.kind}, the other as {sample_b.kind}"
        return _refused(sample_a, reason)
    a, b, dropped = common_rows(sample_a.rows, sample_b.rows)
    differs = (a[OUTCOMES].fillna(-1) != b[OUTCOMES].fillna(-1)).any(axis=1)
    if differs.any():
        patient = a.loc[differs, "patient_id"].iloc[0]
        return _refused(
            sample_a, f"outcomes differ between the models, first for patient {patient}"
        )
    # Both models are cut, and followed, on the same train rows, else they differ by these too.
    train_a, train_b, _ = common_rows(sample_a.train, sample_b.train)
    of_a, of_b = first.metrics(a, train_a), second.metrics(b, train_b)
    records = []
    for key in {**of_a, **of_b}:
        if key not in of_a or key not in of_b:
            present = of_a.get(key) or of_b[key]
            only = first.name if key in of_a else second.name
            reason = f"only {only} predicts it"
            if not np.isfinite(present.value):
                reason = f"{only}: {present.metric.why_not}"
            record: Record = {"method": reason}
        else:
            record = _delong(key[0], a, b, sample_a.kind) or _bootstrap(of_a[key], of_b[key])
        records.append({"metric": key[0], "horizon_days": key[1], **record})
    of_both = _pair_metrics(replace(sample_a, rows=a, train=train_a), b)
    records += map(_of_both, first.resamples.resampled(of_both, a["patient_id"]))
    size = {"n": a["patient_id"].nunique(), "dropped": dropped}
    said = f"{size['n']} common patients, {dropped} dropped"
    return [{**record, **size, "method": f"{record['method']}; {said}"} for record in records]


def common_rows(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return the rows of patients and folds in both, in one order, and the patients dropped."""
    key = ["patient_id", "fold"]
    if len(a) == len(b) and all(np.array_equal(a[name], b[name]) for name in key):
        return a, b, 0
    a, b = a.set_index(key).sort_index(), b.set_index(key).sort_index()
    both = a.index.intersection(b.index)
    everybody = set(a.index.get_level_values(0)) | set(b.index.get_level_values(0))
    dropped = len(everybody - set(both.get_level_values(0)))
    return a.loc[both].reset_index(), b.loc[both].reset_index(), dropped


def _refused(sample: TaskRows, reason: str) -> list[Record]:
    return [{"metric": name, "method": reason} for name in METRICS[sample.kind]]


def _by_key(metrics: list[ResampledMetric]) -> Metrics:
    return {(found.metric.name, found.metric.horizon_days): found for found in metrics}


def _pair_metrics(a: TaskRows, b: pd.DataFrame) -> list[TaskMetric]:
    """Return the metrics that need both models at once: NRI and IDI of a over b."""
    if a.rows.empty or a.kind == "multiclass":
        return []
    if a.kind == "binary":
        return reclassification_metrics(a.rows, b)
    return reclassification_at_horizons(a, b)


def auc_scores(name: str, rows: pd.DataFrame, kind: str) -> tuple[pd.Series, pd.Series] | None:
    """Return label and score of ``auc`` of two classes, or of ``auc_<k>``; else ``None``."""
    single = re.fullmatch(r"auc(?:_(\d+))?", name)
    if single is None or rows.empty or rows["patient_id"].duplicated().any():
        return None  # DeLong's test takes each patient once
    if kind == "binary" and name == "auc":
        return rows["label"], rows["probability"]
    if kind == "multiclass" and single[1]:
        k = int(single[1])
        return rows["label"] == k, rows[class_columns(rows)[k]]
    return None


def _delong(name: str, a: pd.DataFrame, b: pd.DataFrame, kind: str) -> Record | None:
    """Compare two AUCs; ``None`` where DeLong's test does not apply."""
    of_a, of_b = auc_scores(name, a, kind), auc_scores(name, b, kind)
    if of_a is None or of_b is None:
        return None
    try:
        return _record(*delong_difference(*of_a, of_b[1], strata=a["fold"]), "delong")
    except NotComputableError:
        return None


def _bootstrap(a: ResampledMetric, b: ResampledMetric) -> Record:
    """Compare a metric of two models on the same resamples."""
    reason = why_not_compared(a, b)
    if reason:
        return {"method": reason}
    with np.errstate(invalid="ignore"):  # a ratio may be infinite on both sides
        differences = a.values - b.values
    return with_interval(a.of_sample - b.of_sample, differences, "paired_bootstrap")


def why_not_compared(a: ResampledMetric, b: ResampledMetric) -> str:
    """Return why a metric cannot be compared by resamples, empty if it can."""
    for side in (a, b):
        if not np.isfinite(side.of_sample):
            missing = not np.isfinite(side.value)
            return side.metric.why_not if missing else "it is not resampled"
    return "p-values are not compared" if a.metric.name.endswith("_p") else ""


def _of_both(pair: ResampledMetric) -> Record:
    """Give a metric that is itself a comparison, such as the NRI, its interval."""
    record: Record = {"metric": pair.metric.name, "horizon_days": pair.metric.horizon_days}
    if not np.isfinite(pair.of_sample):
        return {**record, "method": pair.metric.why_not}
    method = "; ".join(["paired_bootstrap", *pair.metric.notes])
    return {**record, **with_interval(pair.of_sample, pair.values, method)}


def with_interval(difference: float, values: FloatArray, method: str) -> Record:
    """Return a difference with the percentile interval and p of its resampled values."""
    return _record(difference, *percentile_interval(values), two_sided_p(values), method)


def _record(difference: float, low: float, high: float, p: float, method: str) -> Record:
    return {"difference": difference, "ci_low": low, "ci_high": high, "p": p, "method": method}

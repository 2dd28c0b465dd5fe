"""Variants of a design trained with several seeds: averages, and paired differences from it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import percentile_interval, two_sided_p
from mtl_hcc.metrics.comparisons import holm
from mtl_hcc.metrics.predictions import TaskKind, check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.resamples import ResampledMetric, Resamples
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.thresholds import with_threshold
from mtl_hcc.split_names import TRAIN

ABLATION_COLUMNS = [
    "variant",
    "seed",
    "split",
    "task",
    "metric",
    "horizon_days",
    "value",
    "spread",
    "difference",
    "difference_spread",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "n",
    "events",
    "method",
]
NUMBERS = ABLATION_COLUMNS[5:14]
COMPARED: dict[TaskKind, tuple[str, ...]] = {
    "survival": ("concordance_harrell", "concordance_uno", "integrated_brier"),
    "binary": ("auc", "brier", "balanced_accuracy"),
    "multiclass": ("auc", "balanced_accuracy"),
}
"""Metrics by which designs are compared: discrimination first, then probabilities."""
ALL_SEEDS = "all"
FAMILY = ["seed", "split", "task", "metric", "horizon_days"]
"""Rows whose p-values are corrected for each other: one per variant."""
Key = tuple[str, float]
"""Metric and horizon (-1 without one)."""


def average_over_seeds(
    predictions: pd.DataFrame,
    *,
    reference: str,
    bootstraps: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    r"""Compare variants with a reference, seed by seed and averaged over seeds.

    For metric :math:`m`, variant :math:`v` and seeds :math:`s = 1..S` that both were trained with,
    the difference is :math:`\frac{1}{S}\sum_s m(v_s) - m(\mathrm{reference}_s)` on the patients
    (and folds) that all of these runs predict. Its interval is a percentile bootstrap over
    patients: each resample draws the same patients for all runs. So it says how far the patients
    at hand decide the difference; how far the seeds do is said by the spreads, standard deviations
    over seeds.

    Args:
        predictions: Table of predictions with ``variant`` and ``seed`` (of the training).
        reference: The variant that all others are compared with.
        bootstraps: Resamples of the patients.
        seed: Seed of the resamples.
        progress: Show a bar.

    Returns:
        The columns of ``ablation.csv``: rows of single seeds, then of ``seed`` ``all``, where
        ``value`` is the mean over seeds and ``spread`` their standard deviation. ``ci_low``,
        ``ci_high`` and ``p`` belong to ``difference``; ``p_holm`` is corrected for the number of
        variants (not for splits, tasks and metrics).
    """
    from rich.progress import track

    named = predictions["variant"] + " " + predictions["seed"].astype(str)
    table = with_threshold(check_predictions(predictions.assign(model=named)), 0.5)
    resamples = Resamples(bootstraps=bootstraps, seed=seed)
    order = [reference, *(name for name in table["variant"].unique() if name != reference)]
    of_train = table[table["split"] == TRAIN]
    records: list[dict[str, object]] = []
    blocks = list(table.groupby(["split", "task"], sort=False))
    for (split, task), rows in track(
        blocks, "Comparing the variants", transient=True, disable=not progress
    ):
        runs = _runs(rows, of_train[of_train["task"] == task])
        for variant in filter(runs.__contains__, order):
            beside = {} if variant == reference else runs.get(reference, {})
            found = _compare(runs[variant], beside, resamples)
            records += [{"variant": variant, "split": split, "task": task, **r} for r in found]
    result = pd.DataFrame(records, columns=ABLATION_COLUMNS)
    result = result.sort_values("variant", key=lambda names: names.map(order.index), kind="stable")
    result = result.reset_index(drop=True)
    result[NUMBERS] = result[NUMBERS].astype(float)
    for _, family in result.groupby(FAMILY, dropna=False, sort=False):
        result.loc[family.index, "p_holm"] = holm(family["p"])
    return result.astype({"events": "Int64"})


def _runs(rows: pd.DataFrame, train: pd.DataFrame) -> dict[str, dict[int, TaskRows]]:
    """Return variant and seed to the rows of one split and task."""
    runs: dict[str, dict[int, TaskRows]] = {}
    for (variant, number), inside in rows.groupby(["variant", "seed"], sort=False):
        kind = task_kind(inside)
        of_run = train[train["model"] == inside["model"].iloc[0]]
        sample = TaskRows(_sorted(with_outcome(inside, kind)), with_outcome(of_run, kind), kind)
        runs.setdefault(str(variant), {})[int(str(number))] = sample
    return runs


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.set_index(["patient_id", "fold"], drop=False).sort_index()


def _compare(
    variant: dict[int, TaskRows],
    reference: dict[int, TaskRows],
    resamples: Resamples,
) -> list[dict[str, object]]:
    """Return the rows of one variant for one split and task; no difference without reference."""
    seeds = sorted(variant)
    both = [number for number in seeds if number in reference]
    samples = [variant[number] for number in seeds] + [reference[number] for number in both]
    common = samples[0].rows.index
    for sample in samples[1:]:
        common = common.intersection(sample.rows.index)
    everybody = {patient for sample in samples for patient in sample.rows["patient_id"]}
    patients = common.get_level_values(0).unique()
    said = f"{len(patients)} common patients, {len(everybody) - len(patients)} dropped"
    ours = {number: _metrics(variant[number], common, resamples) for number in seeds}
    theirs = {number: _metrics(reference[number], common, resamples) for number in both}
    rows = samples[0].rows.loc[common].drop_duplicates("patient_id")
    kind = samples[0].kind
    events = float("nan")
    if kind != "multiclass":
        events = float(rows["event" if kind == "survival" else "label"].sum())
    size = {"n": len(patients), "events": events}
    records: list[dict[str, object]] = []
    for key in _keys(ours):
        of_metric = {number: found[key] for number, found in ours.items() if key in found}
        pairs = {
            number: (of_metric[number], theirs[number][key])
            for number in both
            if number in of_metric and key in theirs[number]
        }
        place = {"metric": key[0], "horizon_days": key[1] if key[1] >= 0 else None, **size}
        for number, metric in of_metric.items():
            pair = [pairs[number]] if number in pairs else []
            records.append({"seed": str(number), **place, **_record([metric], pair, said)})
        averaged = _record([*of_metric.values()], [*pairs.values()], said)
        records.append({"seed": ALL_SEEDS, **place, **averaged})
    return records


def _metrics(
    sample: TaskRows, common: "pd.Index[str]", resamples: Resamples
) -> dict[Key, ResampledMetric]:
    """Return the metrics to compare of one run, on some of its rows."""
    rows = sample.rows.loc[common].reset_index(drop=True)
    if rows.empty:
        return {}
    found = resamples.kept_metrics(TaskRows(rows, sample.train, sample.kind))
    return {
        (one.metric.name, -1.0 if one.metric.horizon_days is None else one.metric.horizon_days): one
        for one in found
        if one.metric.name in COMPARED[sample.kind]
    }


def _keys(runs: dict[int, dict[Key, ResampledMetric]]) -> list[Key]:
    """Return all metrics and horizons of some runs, in order."""
    return list(dict.fromkeys(key for found in runs.values() for key in found))


def _record(
    metrics: Sequence[ResampledMetric],
    pairs: Sequence[tuple[ResampledMetric, ResampledMetric]],
    said: str,
) -> dict[str, object]:
    """Return value and difference over some seeds."""
    values = np.array([metric.value for metric in metrics])
    if not np.isfinite(values).all():
        reason = next(m.metric.why_not for m in metrics if not np.isfinite(m.value))
        return {"method": reason}
    seeds = f"mean of {len(values)} seeds" if len(values) > 1 else "one seed"
    if pairs and len(pairs) < len(values):
        seeds += f", difference over {len(pairs)} seeds that both have"
    record: dict[str, object] = {"value": values.mean(), "spread": _spread(values)}
    if not pairs:
        return {**record, "method": f"{seeds}; {said}"}
    differences = np.array([one.of_sample - other.of_sample for one, other in pairs])
    if not np.isfinite(differences).all():
        return {**record, "method": f"{seeds}; no difference: {pairs[0][1].metric.why_not}"}
    bootstrapped = np.mean([one.values - other.values for one, other in pairs], axis=0)
    low, high = percentile_interval(bootstrapped)
    drawn = pairs[0][0].resamples
    return {
        **record,
        "difference": differences.mean(),
        "difference_spread": _spread(differences),
        "ci_low": low,
        "ci_high": high,
        "p": two_sided_p(bootstrapped),
        "method": f"{seeds}; paired bootstrap of {drawn.bootstraps} patient resamples, seed "
        f"{drawn.seed}; {said}",
    }


def _spread(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """Return the standard deviation over seeds, NaN for one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

"""Question: do the statistics find what is there, and no more than what is there?

The phantom without images: 200 cohorts are drawn for each size, and the truth itself predicts.

- With the true outcomes the C-index and the AUC must reach their ceiling (their value in a very
  large cohort), and the calibration slope must be 1, both inside their intervals 95 times of 100.
- With outcomes shuffled among the patients nothing is left to find: the mean of the C-index and of
  the AUC must be 0.5, and at most 5% of the intervals may leave out the null value, or of the tests
  give p < 0.05, but for chance: if 5% is right, one table in a hundred shows a bold number.

Command: ``python benchmarks/false_alarms.py [--repetitions 200] [--workers 2]``; some minutes.
Result: ``benchmarks/results/false_alarms.md``.
"""

import argparse
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from phantom_predictions import cohort
from rich.progress import track
from scipy.stats import binom, norm

from mtl_hcc.cohorts.phantom.outcomes import DEATH_SCALE_DAYS, WEIBULL_SHAPE
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.estimators.oracle import oracle_predictions
from mtl_hcc.metrics.bootstrap import (
    Counts,
    percentile_interval,
    point_value,
    resample_counts,
    two_sided_p,
)
from mtl_hcc.metrics.classification.auc import delong_covariance, delong_difference
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.resamples import task_metrics
from mtl_hcc.metrics.survival.concordance import concordance_statistic
from mtl_hcc.metrics.task_metric import TaskMetric, TaskRows
from mtl_hcc.metrics.thresholds import with_threshold

RESULT = Path(__file__).parent / "results" / "false_alarms.md"
SIZES = (80, 388)
"""The external center of the published cohort, and all of it."""
CEILING_PATIENTS = 20_000
HORIZONS = (365, 730, 1095)
TRUTH = ["patient_id", "os_log_hazard", "rfs_log_hazard", "mvi_probability"]
NULL = {
    "concordance_harrell": 0.5,
    "concordance_uno": 0.5,
    "auc_td": 0.5,
    "auc": 0.5,
    "hazard_ratio": 1.0,
}
"""What the metric is when the predictions know nothing."""
CALIBRATED = {"calibration_slope": 1.0, "calibration_intercept": 0.0}
"""What the metric is when the predictions are the truth."""
COLUMNS = ["n", "task", "metric", "horizon", "value", "low", "high", "p"]
DISCRIMINATION = ("concordance_harrell", "concordance_uno", "auc_td", "auc")


def predictions(number: int, seed: int, *, shuffled: bool) -> pd.DataFrame:
    """Return the oracle's predictions, true survival included, for one cohort."""
    table, oracle, splits = cohort(PhantomSettings(patients={"VI": number}, seed=seed))
    if shuffled:
        order = np.random.default_rng(seed).permutation(len(table))
        outcomes = ["os_days", "os_event", "rfs_days", "rfs_event", "mvi"]
        table[outcomes] = table[outcomes].to_numpy()[order]
    rows = oracle_predictions(oracle[TRUTH], table, splits)
    for days in HORIZONS:
        hazard = (days / DEATH_SCALE_DAYS) ** WEIBULL_SHAPE
        rows[f"survival_{days}"] = np.exp(-hazard * np.exp(rows["risk"]))
    size = table["tumor_diameter_mm"].reindex(rows["patient_id"])
    return rows.assign(size=size.to_numpy())


def samples(rows: pd.DataFrame) -> Iterator[tuple[str, TaskRows]]:
    """Return the rows of each task, without any train rows."""
    table = with_threshold(check_predictions(rows), 0.5)
    for task, of_task in table.groupby("task", sort=False):
        kind = task_kind(of_task)
        yield str(task), TaskRows(with_outcome(of_task, kind), of_task.iloc[:0], kind)


def repetition(number: int, seed: int, *, shuffled: bool) -> list[dict[str, object]]:
    """Draw one cohort and return the value, interval or p of each metric."""
    wanted = NULL | {"logrank_p": np.nan} if shuffled else NULL | CALIBRATED
    records: list[dict[str, object]] = []
    for task, sample in samples(predictions(number, seed, shuffled=shuffled)):
        counts = resample_counts(sample.rows["patient_id"], seed=seed)
        for metric in task_metrics(sample):
            if metric.name in wanted:
                records.append({"task": task, **_record(metric, counts)})
        if shuffled:
            records += [{"task": task, **record} for record in _tests(sample, counts)]
    return [{"n": number, **record} for record in records]


def _record(metric: TaskMetric, counts: Counts) -> dict[str, object]:
    value = metric.value
    if value is None:
        value = point_value(metric.statistic, counts.shape[1])
    record = {"metric": metric.name, "horizon": metric.horizon_days, "value": value}
    if metric.name.endswith("_p"):
        return {**record, "p": value, "value": np.nan}
    if metric.interval is not None:
        low, high, _ = metric.interval
    else:
        low, high = percentile_interval(metric.statistic(counts))
    return {**record, "low": low, "high": high}


def _tests(sample: TaskRows, counts: Counts) -> Iterator[dict[str, object]]:
    """Test the oracle against chance, and against tumor size, which knows nothing either."""
    rows = sample.rows
    if sample.kind == "binary":
        value, covariance = delong_covariance(rows["label"], rows["probability"])
        z = (value[0] - 0.5) / covariance[0, 0] ** 0.5
        yield {"metric": "DeLong against 0.5", "p": 2 * norm.sf(abs(z))}
        p = delong_difference(rows["label"], rows["probability"], rows["size"])[3]
        yield {"metric": "DeLong, paired", "p": p}
        return
    labels = rows["time_days"], rows["event"]
    values = [concordance_statistic(rows[name], *labels)(counts) for name in ("risk", "size")]
    yield {"metric": "paired bootstrap of the C-index", "p": two_sided_p(values[0] - values[1])}


def ceiling() -> dict[tuple[str, str, float], float]:
    """Return each metric of discrimination in a very large cohort."""
    found = {}
    for task, sample in samples(predictions(CEILING_PATIENTS, 10**6, shuffled=False)):
        for metric in task_metrics(sample):
            if metric.name in DISCRIMINATION:
                value = point_value(metric.statistic, len(sample.rows))
                found[task, metric.name, metric.horizon_days or 0.0] = value
    return found


def report(records: pd.DataFrame, truth: dict[tuple[str, str, float], float] | None) -> str:
    """Return one table: how often each interval leaves out what is true.

    Args:
        records: Of all repetitions.
        truth: Of the metrics of discrimination; ``None`` = the null value.
    """
    lines = []
    chance = 0.01 / len(records.groupby(["n", "task", "metric", "horizon"], dropna=False))
    records = records.assign(horizon=records["horizon"].fillna(0.0))
    for (task, name, days), rows in records.groupby(["task", "metric", "horizon"], sort=False):
        cells = [str(task).upper(), f"{name}{f', {days:.0f} days' if days else ''}"]
        expected = (NULL | CALIBRATED).get(str(name), np.nan)
        if truth is not None:
            expected = truth.get((str(task), str(name), float(days)), CALIBRATED.get(str(name)))
        if expected is None:
            continue
        cells.append("" if np.isnan(expected) else f"{expected:.3f}")
        for number in SIZES:
            cells += _cells(rows[rows["n"] == number], expected, chance)
        lines.append("| " + " | ".join(cells) + " |")
    sizes = "".join(f" mean, n = {number} | missed of |" for number in SIZES)
    rule = "|---|---|---:|" + "---:|---:|" * len(SIZES)
    return f"| task | metric | truth |{sizes}\n{rule}\n" + "\n".join(lines) + "\n"


def _cells(rows: pd.DataFrame, expected: float, chance: float) -> list[str]:
    """Return the mean, and how often the truth was missed (bold: less probable than chance)."""
    if rows["p"].notna().any():
        missed, mean = rows["p"].dropna() < 0.05, ""
    else:
        judged = rows.dropna(subset=["low", "high"])
        missed = (judged["low"] > expected) | (judged["high"] < expected)
        values = judged["value"]
        mean = f"{np.exp(np.log(values).mean()) if expected == 1 else values.mean():.3f}"
    if len(missed) == 0:
        return ["", ""]
    allowed = int(binom.ppf(1 - chance, len(missed), 0.05))
    text = f"{missed.sum()} of {len(missed)}"
    return [mean, f"**{text}**" if missed.sum() > allowed else text]


def _all_together(records: pd.DataFrame) -> str:
    """Return the share of false alarms over all metrics and cohorts."""
    null = records["metric"].map(NULL)
    alarms = (records["low"] > null) | (records["high"] < null) | (records["p"] < 0.05)
    judged = records["low"].notna() | records["p"].notna()
    share = 100 * alarms[judged].mean()
    return f"All together: {alarms[judged].sum()} of {judged.sum():,} ({share:.1f}%).\n"


def main() -> None:
    """Repeat, count, and write the tables."""
    parser = argparse.ArgumentParser(description="Count false alarms.")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    found = {}
    for shuffled in (False, True):
        jobs = [
            delayed(repetition)(number, seed, shuffled=shuffled)
            for number in SIZES
            for seed in range(asked.repetitions)
        ]
        done = Parallel(n_jobs=asked.workers, return_as="generator")(jobs)
        named = "shuffled outcomes" if shuffled else "true outcomes"
        records = [record for of_one in track(done, named, len(jobs)) for record in of_one]
        found[shuffled] = pd.DataFrame(records).reindex(columns=COLUMNS)
    text = [
        "# Do the statistics find what is there, and no more?\n",
        "Command: `python benchmarks/false_alarms.py`\n",
        f"{asked.repetitions} phantom cohorts of each size, predicted by the truth itself; "
        "intervals as in `metrics.csv` (1,000 resamples).",
        "Bold: too often for 5%; if 5% is right, one table in a hundred shows a bold number.\n",
        "## True outcomes: is the truth inside the interval?\n",
        f"The truth of C-index and AUC is their value in {CEILING_PATIENTS:,} patients. Percentile",
        "intervals of an AUC near 1, or of a slope, are too narrow when they rest on few events:",
        "of 80 patients about 10 die within a year, and 18 die or recur. `metrics.csv` says so at",
        "AUCs with fewer than 20.\n",
        report(found[False], ceiling()),
        "## Shuffled outcomes: false alarms\n",
        "Missed: the interval leaves out the null value, or p < 0.05. The mean of hazard ratios "
        "is geometric.\n",
        report(found[True], None),
        _all_together(found[True]),
        f"Machine: {os.cpu_count()} CPU cores, {platform.machine()}, "
        f"Python {platform.python_version()}, mtl_hcc {version('mtl_hcc')}.\n",
    ]
    RESULT.write_text("\n".join(text))
    print(RESULT.read_text())


if __name__ == "__main__":
    main()

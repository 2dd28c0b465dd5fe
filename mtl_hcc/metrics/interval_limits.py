"""Which intervals say less than they seem to: those of a few patients, and those without width.

Where all patients with the condition are ranked above all others, every resample gives the same
value and DeLong's variance is zero: AUC 1.000 (1.000-1.000), be it from three patients. It is left
out there (Obuchowski and Lieber, Academic Radiology 2002;9:526-530, on areas of 1). With
fewer than ten patients in the smaller class, DeLong's and bootstrap intervals are often too narrow
(the same, 1998;5:561-571): they are kept, and ``method`` says so.
"""

import numpy as np
import pandas as pd

FEW_IN_CLASS = 10
EXACT = ("wilson",)
"""Beginnings of ``method`` of intervals that hold for few patients, too."""
SAID = "too narrow"
"""Metrics at a horizon say so themselves, of the events by then."""


def judged_intervals(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics without intervals of no width, and with a word where they are rough.

    Args:
        metrics: As from ``evaluate_predictions``.
    """
    metrics = metrics.copy()
    method = metrics["method"].fillna("").astype(str)
    flat = metrics["ci_low"].notna() & (metrics["ci_low"] == metrics["ci_high"])
    events = metrics["events"].astype(float)
    survival = _of_survival(metrics)
    smaller = events.where(survival | (events * 2 <= metrics["n"]), metrics["n"] - events)
    rough = metrics["ci_low"].notna() & (smaller < FEW_IN_CLASS) & ~flat
    rough &= ~(method.str.startswith(EXACT) | method.str.contains(SAID))
    of = metrics["n"].astype(int).astype(str) + " patients"
    reason = "no interval: of these " + of + " it would have no width; "
    what = survival.map({True: " events", False: " patients in the smaller class"})
    few = "; rough interval: only " + smaller.fillna(0).astype(int).astype(str) + what
    metrics.loc[flat, ["ci_low", "ci_high"]] = np.nan
    metrics["method"] = metrics["method"].where(~flat, reason + method)
    metrics["method"] = metrics["method"].where(~rough, method + few)
    return metrics


def _of_survival(metrics: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows are of a survival task: only these have a C-index."""
    tasks = metrics.loc[metrics["metric"].str.startswith("concordance"), "task"].unique()
    return metrics["task"].isin(tasks)

"""One metric of one task on one set of rows, and what it is computed from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, Statistic
from mtl_hcc.metrics.predictions import TaskKind


@dataclass(frozen=True)
class TaskRows:
    """The rows of one model and one task that a metric is computed from.

    Attributes:
        rows: Rows whose outcome is known, each patient once per fold. Two-class tasks bring the
            column ``threshold``: positive at or above it, NaN where there is none.
        train: The train rows of the same model and task whose outcome is known, over all folds;
            cut-offs come from those of the same ``fold``, and horizons lie inside their follow-up.
            Censoring weights never come from here. May be empty.
        kind: Of the task.
    """

    rows: pd.DataFrame
    train: pd.DataFrame
    kind: TaskKind


@dataclass(frozen=True)
class TaskMetric:
    """One metric of one task on one set of rows.

    Attributes:
        name: As in ``metrics.csv``.
        statistic: The metric as a function of the counts of the rows.
        why_not: The reason to give when it has no value.
        notes: What has to be said about how it is computed.
        interval: Ends of an exact interval and its name; ``None`` = bootstrap.
        horizon_days: For metrics at a horizon.
        value: The value by the library that the field cites; ``None`` = by ``statistic``, which
            also serves the resamples.
    """

    name: str
    statistic: Statistic
    why_not: str
    notes: Sequence[str] = ()
    interval: tuple[float, float, str] | None = None
    horizon_days: float | None = None
    value: float | None = None


MetricBuilder = Callable[[TaskRows], list[TaskMetric]]
"""Lists some metrics of one task; the rows it is given are never empty."""


@dataclass(frozen=True)
class MetricGroup:
    """Metrics that are built together.

    Attributes:
        names: In the order of ``metrics.csv``.
        build: Lists them for one task.
    """

    names: tuple[str, ...]
    build: MetricBuilder


def no_value(counts: Counts) -> FloatArray:
    """Statistic of a metric that cannot be computed."""
    return np.full(len(counts), np.nan)


def fold_notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Scores of different folds come from different models: their pairs are not compared."""
    return ("pairs within a fold",) if rows["fold"].nunique() > 1 else ()

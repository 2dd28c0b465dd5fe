"""How pure are those called positive? Precision-recall curves of the two-class tasks."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.figures.class_panels import (
    SMALL,
    class_panels,
    first_style,
    other_style,
    others_with_both_classes,
)
from mtl_hcc.metrics.bootstrap import FloatArray, percentile_interval, point_value, resample_counts
from mtl_hcc.metrics.classification.average_precision import (
    average_precision_statistic,
    precision_recall_points,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Precision-recall curves, drawn in steps. Strong line: {first}, with the average precision "
    "(the area under the steps) and its 95% interval (percentile bootstrap of patients){others}. "
    "Thin horizontal line: the prevalence, which is chance. With several folds the curve is the "
    "mean of the folds' curves, weighted by their positive patients."
)


def precision_recall(predictions: pd.DataFrame, *, bootstraps: int = 1000) -> "Figure":
    """Draw a row per two-class task and a column per split, the first model strong, others gray.

    Args:
        predictions: Table of predictions: ``model, task, split, fold, label, probability``.
        bootstraps: Resamples of the patients for the interval.
    """
    draw = partial(_draw, bootstraps=bootstraps)
    return class_panels(
        predictions, draw, axis_names=("Recall (sensitivity)", "Precision (PPV)"), caption=CAPTION
    )


def mean_precision_points(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return recall from 0 to 1 and the precision up to each, a mean of the folds' steps.

    Args:
        rows: Of one model, task and split, with at least one positive patient.
    """
    folds = [fold for _, fold in rows.groupby("fold") if (fold["label"] == 1).any()]
    curves = [precision_recall_points(fold["label"], fold["probability"]) for fold in folds]
    grid = np.unique(np.concatenate([[0.0], *(recall for recall, _ in curves)]))
    weights = np.array([(fold["label"] == 1).sum() for fold in folds], dtype=np.float64)
    # Up to a recall, the precision is that of the first cut-off that reaches it.
    heights = np.stack(
        [
            precision[np.searchsorted(recall, grid - 1e-12).clip(0, len(recall) - 1)]
            for recall, precision in curves
        ]
    )
    heights[:, 0] = [precision[np.searchsorted(recall, 1e-12)] for recall, precision in curves]
    return grid, weights @ heights / weights.sum()


def _draw(axes: "Axes", rows: dict[str, pd.DataFrame], *, bootstraps: int) -> None:
    first = next(iter(rows.values()))
    axes.axhline(first["label"].mean(), color="0.8", linewidth=0.8, zorder=0)
    for place, found in others_with_both_classes(rows):
        axes.step(*mean_precision_points(found), where="pre", **other_style(place))
    axes.step(*mean_precision_points(first), where="pre", **first_style())
    axes.text(
        0.02, 0.02, _in_words(first, bootstraps), ha="left", va="bottom", fontsize=SMALL + 0.5
    )


def _in_words(rows: pd.DataFrame, bootstraps: int) -> str:
    """Return the average precision with its interval."""
    statistic = average_precision_statistic(rows["label"], rows["probability"], strata=rows["fold"])
    value = point_value(statistic, len(rows))
    drawn = resample_counts(rows["patient_id"], bootstraps=bootstraps)
    low, high = percentile_interval(statistic(drawn))
    interval = f"\n({low:.2f}-{high:.2f})" if np.isfinite(low) else ""
    return f"AP {value:.2f}{interval}"

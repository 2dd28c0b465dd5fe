"""How many are found at what false alarm rate? ROC curves of the two-class tasks."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.figures.class_panels import (
    SMALL,
    by_fold,
    class_panels,
    first_style,
    other_style,
    others_with_both_classes,
)
from mtl_hcc.metrics.bootstrap import (
    FloatArray,
    NotComputableError,
    percentile_interval,
    resample_counts,
)
from mtl_hcc.metrics.classification.auc import auc, auc_statistic, delong_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "ROC curves. Strong line: {first}, with the AUC and its 95% interval (DeLong; percentile "
    "bootstrap of patients where folds repeat them){others}. With several folds the curve is the "
    "mean of the folds' curves, weighted by their pairs, and the AUC compares within folds."
)


def roc(predictions: pd.DataFrame, *, bootstraps: int = 1000) -> "Figure":
    """Draw a row per two-class task and a column per split, the first model strong, others gray.

    The AUC in each panel is that of ``metrics.csv``, and the area under the curve drawn.

    Args:
        predictions: Table of predictions: ``model, task, split, fold, label, probability``.
        bootstraps: Resamples of the patients where folds repeat them.
    """
    draw = partial(_draw, bootstraps=bootstraps)
    return class_panels(
        predictions, draw, axis_names=("1 - specificity", "Sensitivity"), caption=CAPTION
    )


def roc_points(label: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return 1 - specificity and sensitivity at every cut-off, from (0, 0) to (1, 1)."""
    positive, scores = np.asarray(label) == 1, np.asarray(probability, dtype=np.float64)
    cuts = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    rates = [
        1 - np.searchsorted(np.sort(scores[group]), cuts) / group.sum()
        for group in (~positive, positive)
    ]
    return rates[0], rates[1]


def mean_roc_points(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the mean of the folds' ROC curves, weighted by their pairs of patients.

    Args:
        rows: Of one model, task and split: ``fold, label, probability``.

    Raises:
        NotComputableError: No fold has both classes.
    """
    folds = by_fold(rows)
    if not folds:
        raise NotComputableError("no fold has both classes")
    curves = [roc_points(fold["label"], fold["probability"]) for fold in folds]
    if len(curves) == 1:
        return curves[0]
    pairs = np.array([(fold["label"] == 1).sum() * (fold["label"] == 0).sum() for fold in folds])
    steps = np.unique(np.concatenate([false_alarms for false_alarms, _ in curves]))
    grid = np.sort(np.concatenate([steps - 1e-9, steps + 1e-9]))  # both sides of each rise
    heights = np.stack([np.interp(grid, *curve) for curve in curves])
    mean = pairs @ heights / pairs.sum()
    return np.concatenate([[0], grid.clip(0, 1), [1]]), np.concatenate([[0], mean, [1]])


def _draw(axes: "Axes", rows: dict[str, pd.DataFrame], *, bootstraps: int) -> None:
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=0.8, zorder=0)
    for place, found in others_with_both_classes(rows):
        if by_fold(found):
            axes.plot(*mean_roc_points(found), **other_style(place))
    first = next(iter(rows.values()))
    try:
        axes.plot(*mean_roc_points(first), **first_style())
        said = _in_words(first, bootstraps)
    except NotComputableError as error:
        said = str(error)
    axes.text(1, 0.04, said, ha="right", va="bottom", fontsize=SMALL + 0.5)


def _in_words(rows: pd.DataFrame, bootstraps: int) -> str:
    """Return the AUC with its interval."""
    label, score, fold = rows["label"], rows["probability"], rows["fold"]
    value = auc(label, score, strata=fold)
    if rows["patient_id"].duplicated().any():
        statistic = auc_statistic(label, score, strata=fold)
        drawn = resample_counts(rows["patient_id"], bootstraps=bootstraps)
        low, high = percentile_interval(statistic(drawn))
    else:
        try:
            low, high = delong_interval(label, score, strata=fold)
        except NotComputableError:
            low = high = float("nan")
    interval = f"\n({low:.2f}-{high:.2f})" if np.isfinite(low) else ""
    return f"AUC {value:.2f}{interval}"

"""Where a probability becomes a decision: a given cut-off, or Youden's on the training rows."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.errors import ConfigError
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.auc import ONE_CLASS
from mtl_hcc.split_names import TRAIN

Threshold = float | Literal["youden"]


def parse_threshold(text: str) -> Threshold:
    """Read ``youden`` or a number between 0 and 1."""
    if text == "youden":
        return "youden"
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise ConfigError(
            repr(text),
            where="--threshold",
            expected="a probability between 0 and 1, or youden",
            remedy="Use 0.5 unless the classes are very unequal.",
        )
    return value


def with_threshold(predictions: pd.DataFrame, threshold: Threshold) -> pd.DataFrame:
    """Add the column ``threshold``; Youden's comes from the train rows of the same model and fold.

    Args:
        predictions: Checked table of predictions.
        threshold: Cut-off for all, or ``"youden"``; NaN where no train rows of both classes exist.
    """
    if threshold != "youden":
        return predictions.assign(threshold=float(threshold))
    chosen = predictions.assign(threshold=float("nan"))
    labeled = predictions.dropna(subset=["label", "probability"])
    for _, rows in predictions.groupby(["model", "task", "fold"], sort=False):
        inside = labeled.loc[labeled.index.intersection(rows.index)]
        train = inside[inside["split"] == TRAIN]
        try:
            value = youden_threshold(train["label"], train["probability"]) if len(train) else None
        except NotComputableError:
            value = None
        if value is not None:
            chosen.loc[rows.index, "threshold"] = value
    return chosen


def youden_threshold(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the cut-off that maximizes sensitivity + specificity - 1 (the highest of equals).

    A patient is called positive at or above it. Meant for the training split only.

    Raises:
        NotComputableError: Only one class.
    """
    positive, scores = np.asarray(label) == 1, np.asarray(probability, dtype=np.float64)
    if positive.all() or not positive.any():
        raise NotComputableError(ONE_CLASS)
    cuts = np.unique(scores)[::-1]
    missed = np.searchsorted(np.sort(scores[positive]), cuts) / positive.sum()
    spared = np.searchsorted(np.sort(scores[~positive]), cuts) / (~positive).sum()
    youden = spared - missed  # = specificity + sensitivity - 1
    return float(cuts[np.argmax(youden)])

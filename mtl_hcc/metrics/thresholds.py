"""Where a probability becomes a decision: a given cut-off, or Youden's on the training rows."""

from typing import Literal

import pandas as pd

from mtl_hcc.errors import ConfigError
from mtl_hcc.metrics.classification.class_statistics import youden_threshold
from mtl_hcc.metrics.statistic import NotComputableError

Threshold = float | Literal["youden"]
TRAIN = "train"


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

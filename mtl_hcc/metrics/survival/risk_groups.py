"""Who is at high risk: above the median risk of the train rows of the same fold."""

import pandas as pd


def high_risk(rows: pd.DataFrame, train: pd.DataFrame) -> "tuple[pd.Series[bool], str]":
    """Return who is above the cut-off of the own fold, and the rule in words.

    Args:
        rows: ``fold, risk`` of one model and task.
        train: Those of its train split. A fold without train rows is cut at the median of its own
            rows, which the rule says.

    Returns:
        (row,) bool, and e.g. ``"cut at the median risk of train"``.
    """
    of_train = train.groupby("fold")["risk"].median()
    median = rows["fold"].map(of_train)
    absent = median.isna()
    if not absent.any():
        return rows["risk"] > median, "cut at the median risk of train"
    own = rows["fold"].map(rows.groupby("fold")["risk"].median())
    rule = "cut at the median risk of these rows, as no train rows are known"
    if not absent.all():
        rule += " for some folds"
    return rows["risk"] > median.fillna(own), rule

"""Who is at high risk: above the median risk of the train rows of the same fold."""

import pandas as pd

from mtl_hcc.metrics.thresholds import TRAIN


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


def with_risk_groups(known: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return all rows of one task with the column ``high``, and the rule in words.

    Each split is cut by :func:`high_risk`, so that groups are those of ``metrics.csv``.

    Args:
        known: ``split, fold, risk`` of one model and task, rows with a known outcome.
    """
    train = known[known["split"] == TRAIN]
    high = pd.Series(False, index=known.index)
    rules = []
    for _, rows in known.groupby("split", sort=False):
        high.loc[rows.index], rule = high_risk(rows, train)
        rules.append(rule)
    return known.assign(high=high), "; ".join(dict.fromkeys(rules))

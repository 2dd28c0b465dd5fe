"""Who is at high risk: above the median risk of the train rows of the same fold."""

from collections.abc import Mapping

import pandas as pd

from mtl_hcc.metrics.thresholds import TRAIN

AT_THE_HIGHEST = "nobody there is above it, so high risk is at it"


def high_risk(rows: pd.DataFrame, train: pd.DataFrame) -> "tuple[pd.Series[bool], str]":
    """Return who is at high risk by the cut-off of the own fold, and the rule in words.

    High risk is above the median. Where nobody is above it, since half of the patients or more have
    the highest risk (a score of two values, most of them high), it is at or above the median: else
    all would be in one group.

    Args:
        rows: ``fold, risk`` of one model and task.
        train: Those of its train split. A fold without train rows is cut at the median of its own
            rows, which the rule says.

    Returns:
        (row,) bool, and e.g. ``"cut at the median risk of train"``.
    """
    of_train, own = (_cut_offs(table) for table in (train, rows))
    absent = ~rows["fold"].isin(of_train.index)
    rule = "cut at the median risk of train"
    if absent.any():
        rule = "cut at the median risk of these rows, as no train rows are known"
        rule += "" if absent.all() else " for some folds"
    cuts = pd.concat([of_train, own.drop(of_train.index, errors="ignore")])
    cuts = cuts.loc[rows["fold"]].set_axis(rows.index)
    at_highest = cuts["nobody_above"]
    high = (rows["risk"] > cuts["median"]) | (at_highest & (rows["risk"] == cuts["median"]))
    if at_highest.any():
        rule += f"; {AT_THE_HIGHEST}" + ("" if at_highest.all() else " in some folds")
    return high, rule


def _cut_offs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ``median`` risk of each fold, and whether ``nobody_above`` it leaves two groups.

    Where all have one risk there are no groups, whichever side the cut is on.
    """
    risk = table.groupby("fold")["risk"]
    median, highest, lowest = risk.median(), risk.max(), risk.min()
    return pd.DataFrame(
        {"median": median, "nobody_above": (median == highest) & (lowest < highest)}
    )


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


def rule_in_words(rules: Mapping[str, str]) -> str:
    """Return the rules of several tasks as one text, by task where they differ.

    Args:
        rules: Task to the rule of its risk groups.
    """
    distinct = list(dict.fromkeys(rules.values()))
    if len(distinct) < 2:
        return "".join(distinct)
    return "; ".join(f"{task.upper()} {rule}" for task, rule in rules.items())

"""The columns of ``predictions.csv``, and which of them another name was probably meant to be."""

import difflib
import re
from collections.abc import Iterable

import pandas as pd

REQUIRED_COLUMNS = ("patient_id", "center", "split", "fold", "task")
NUMERIC_COLUMNS = ("risk", "time_days", "event", "label", "probability")
POOLED = "all"
"""Center of the rows of metrics over all centers."""
ORACLE = "oracle"
"""Name of the model that knows the phantom's truth."""
VISIBLE = "visible ceiling"
"""Name of the model that knows what the given phases can show of that truth."""
TRUTHS = (ORACLE, VISIBLE)
RESERVED = {
    "center": ((POOLED,), "stands for all centers together in metrics.csv"),
    "model": (("treat all", "treat none"), "is a strategy without a model in decision curves"),
}
"""Column to the names that nobody else can have, and what they mean."""
OTHER_COLUMNS = ("model", "variant", "seed", "threshold")
"""Which of several models a row is of, and its cut-off."""
HORIZON_PATTERN = re.compile(r"survival_([0-9]+)")
CLASS_PATTERN = re.compile(r"probability_([0-9]+)")
DAYS_PER = {"d": 1.0, "m": 30.4375, "y": 365.0}
"""Unit's first letter to days, as horizons are called: a year is 365 days."""
ALIKE = 0.7


def patterned(table: pd.DataFrame, *patterns: re.Pattern[str]) -> list[str]:
    """Return the names of the columns that match one of the patterns in full."""
    return [str(name) for name in table if any(p.fullmatch(str(name)) for p in patterns)]


def class_columns(rows: pd.DataFrame) -> list[str]:
    """Return the filled columns ``probability_<k>`` of one task's rows, in the order of k."""
    filled = [name for name in patterned(rows, CLASS_PATTERN) if rows[name].notna().any()]
    return sorted(filled, key=lambda name: int(name.rpartition("_")[2]))


def unread_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns that nothing reads, each with the name that was meant (or "").

    Args:
        table: Table of predictions.
    """
    read = {*REQUIRED_COLUMNS, *NUMERIC_COLUMNS, *OTHER_COLUMNS}
    read |= set(patterned(table, HORIZON_PATTERN, CLASS_PATTERN))
    return {str(name): meant_column(str(name)) for name in table if name not in read}


def meant_column(name: str, known: Iterable[str] | None = None) -> str:
    """Return the column that another name was probably meant to be; empty if none is close.

    Args:
        name: As found.
        known: Names to choose from; default: those of the contract.

    Example:
        >>> [meant_column(n) for n in ("survival_1y", "surv_365", "Survival-730", "OS 36 months")]
        ['survival_365', 'survival_365', 'survival_730', '']
        >>> [meant_column(n) for n in ("Risk", "probabilty", "prob_2", "age_years")]
        ['risk', 'probability', 'probability_2', '']
    """
    plain = re.sub(r"[^a-z0-9.]+", "_", name.casefold()).strip("_")
    if found := re.fullmatch(r"surv(?:ival)?_?(\d{1,6}(?:\.\d+)?)_?([dmy][a-z]*)?", plain):
        days = float(found[1]) * DAYS_PER[(found[2] or "d")[0]]
        return f"survival_{days:.0f}"
    if found := re.fullmatch(r"prob(?:ability)?_?(?:class_?)?(\d{1,2})", plain):
        return f"probability_{int(found[1])}"
    names = list(known or (*REQUIRED_COLUMNS, *NUMERIC_COLUMNS, "model"))
    repeated = re.sub(r"\.\d+$", "", plain)  # how pandas calls a second column of one name
    if repeated in names:
        return repeated
    close = difflib.get_close_matches(plain, names, n=1, cutoff=ALIKE)
    return close[0] if close else ""

"""Which columns of the cohort's table describe the patients, and how each is summarized."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mtl_hcc.covariates.reader import level_text

NOT_CLINICAL = ("patient_id", "center", "split", "fold", "mvi", "mvi_grade")
"""Who and where, and classes that are endpoints."""
FOLLOW_UP = ("recurrence", "progression", "death", "relapse")
"""A column that starts so, or with ``days_to_``, tells what came after: it is an endpoint too."""
MOST_LEVELS = 10
"""A text with more levels is free text, or a name."""
FEW_VALUES = 5
"""A number with at most so many distinct whole values (a score, a flag) is a category."""
SKEWED = 1.0
"""Sample skewness beyond which a number is summarized by its median."""
SURVIVAL = (("os", "OS"), ("rfs", "RFS"))


@dataclass(frozen=True)
class SortedColumns:
    """The clinical columns of a cohort's table, in its order.

    Attributes:
        numbers: Measured numbers.
        skewed: Those of them whose skewness is beyond :data:`SKEWED`.
        categories: Texts, flags and scores with few levels.
        left_out: Column to the reason why it is in no table.
    """

    numbers: tuple[str, ...] = ()
    skewed: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        """Numbers, then categories."""
        return self.numbers + self.categories

    def said(self) -> str:
        """Return a sentence for the caption that names what is left out, or nothing."""
        reasons: dict[str, list[str]] = {}
        for column, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(column)
        parts = [f"{', '.join(columns)} ({reason})" for reason, columns in reasons.items()]
        return f"Left out: {'; '.join(parts)}." if parts else ""


def clinical_columns(patients: pd.DataFrame) -> SortedColumns:
    """Sort the columns of a cohort's table.

    Args:
        patients: One row per patient, as ``patients.csv``.
    """
    numbers, categories, left_out = [], [], {}
    for column in map(str, patients.columns):
        if is_endpoint(column):
            continue
        cells = patients[column].dropna()
        reason = _why_not(cells)
        if reason:
            left_out[column] = reason
        elif is_category(cells):
            categories.append(column)
        else:
            numbers.append(column)
    skewed = tuple(name for name in numbers if _skewness(patients[name]) > SKEWED)
    return SortedColumns(tuple(numbers), skewed, tuple(categories), left_out)


def is_endpoint(column: str) -> bool:
    """Tell whether a column is an identifier, a split, or tells what happened to the patient."""
    times = column.startswith(("days_to_", *FOLLOW_UP)) or column.endswith(("_days", "_event"))
    return column in NOT_CLINICAL or times


def says_mvi(column: str) -> bool:
    """Tell whether a column is another reading of vascular invasion, and so of MVI."""
    return "vascular_invasion" in column


def counts_vessels(column: str) -> bool:
    """Tell whether a column is a pathological stage, whose T category counts invaded vessels."""
    return column.startswith(("stage", "tnm", "ajcc_t", "ajcc_stage", "t_stage", "pt_stage"))


def is_category(cells: "pd.Series[Any]") -> bool:
    """Tell whether known cells are levels: texts, or few whole numbers."""
    if not pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_bool_dtype(cells):
        return True
    return cells.nunique() <= FEW_VALUES and bool((cells % 1 == 0).all())


def levels(cells: "pd.Series[Any]") -> list[str]:
    """Return the levels of a category, lowest first; flags are called no and yes."""
    known = cells.dropna()
    return list(dict.fromkeys(map(_level_of(known), sorted(known.unique(), key=_rank))))


def level_cells(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a category's cells as the texts of :func:`levels`, missing where missing."""
    named: pd.Series[Any] = cells.map(_level_of(cells.dropna()), na_action="ignore").astype(object)
    return named


def _level_of(known: "pd.Series[Any]") -> Callable[[object], str]:
    """Return how one column's cells are called: a column of 0 and 1 says no and yes."""
    texts = set(map(level_text, known.unique()))
    flags = {"0": "no", "1": "yes", "False": "no", "True": "yes"}
    if texts <= {"0", "1"} or texts <= {"False", "True"}:
        return lambda cell: flags[level_text(cell)]
    return level_text


def _skewness(cells: "pd.Series[Any]") -> float:
    from scipy.stats import skew

    return abs(float(skew(cells.dropna().to_numpy(dtype=float), bias=False)))


def _rank(level: object) -> tuple[int, float, str]:
    """Numbers by size, then texts by the alphabet (stages 0, A, B; I, II, III, IV)."""
    text = level_text(level)
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)


def _why_not(cells: "pd.Series[Any]") -> str:
    """Return why a column is in no table; empty when it is."""
    if cells.empty:
        return "empty"
    if cells.nunique() == 1:
        return "the same for everybody"
    if not pd.api.types.is_numeric_dtype(cells) and cells.nunique() > MOST_LEVELS:
        return f"text with more than {MOST_LEVELS} levels"
    return ""

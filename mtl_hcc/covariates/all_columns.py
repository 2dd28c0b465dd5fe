"""All clinical columns together: which of a table's columns may predict, and how each is read.

Everything is decided on training patients alone. A column is left out when it is

- an identifier, a center, a split, a label or what came after (:func:`is_endpoint`, and names with
  a word of :data:`AFTERWARDS`), another reading of vascular invasion, and, for MVI, a pathological
  stage, which counts invaded vessels;
- a name, a running number or a date;
- empty, the same for everybody, or free text.

The others are read as in the tables of a report: a number as it is, or as log10(x + 1) where it has
a long tail; a text, or a number with few whole values, by its levels. Levels with fewer than
:data:`FEWEST_PATIENTS` patients are one level, *other*, and so are levels that no training patient
has; where *other* has fewer patients itself, its cells count as missing.
"""

import re
from typing import Any

import pandas as pd

from mtl_hcc.covariates.clinical_columns import (
    clinical_columns,
    counts_vessels,
    is_category,
    is_endpoint,
    says_mvi,
)
from mtl_hcc.covariates.reader import CovariateKind, level_text
from mtl_hcc.covariates.terms import FEWEST_PATIENTS, needs_logarithm

OTHER = "other"
"""Level of all rare levels together."""
AFTERWARDS = {
    *("death", "dead", "died", "deceased", "vital", "survival", "followup"),
    *("recurrence", "recurred", "relapse", "progression", "os", "rfs", "dfs", "pfs", "ttr"),
}
"""Words in the name of a column that tells what came after."""
NAMES = {"id", "ids", "identifier", "mrn", "name", "accession", "uid", "surgeon", "radiologist"}
"""Words in the name of a column that names somebody."""
DATES = {"date", "dates", "datetime", "timestamp", "year", "month", "day", "birthday"}
"""Words in the name of a column that says when."""


def all_columns(train: pd.DataFrame, task: str) -> tuple[dict[str, CovariateKind], dict[str, str]]:
    """Return the columns that may predict a task, with how each is read, and why others may not.

    Args:
        train: The clinical table of the training patients.
        task: ``os``, ``rfs``, ``mvi`` or ``mvi_grade``.
    """
    found = clinical_columns(train)
    kinds: dict[str, CovariateKind] = {}
    left_out = dict(found.left_out)
    for column in found.all:
        cells = train[column].dropna()
        if reason := _why_not(column, cells, task):
            left_out[column] = reason
        elif not is_category(cells):
            kinds[column] = "log" if needs_logarithm(cells) else "linear"
        elif len(levels := frequent_levels(cells)) > 1:
            kinds[column] = levels
        else:
            left_out[column] = f"no two levels with {FEWEST_PATIENTS} patients"
    return kinds, left_out


def frequent_levels(cells: "pd.Series[Any]") -> list[str]:
    """Return the levels with enough patients, the most frequent first, then *other* if it has.

    Args:
        cells: (patient,) Known cells of the training patients.
    """
    counts = cells.map(level_text).value_counts()
    # Equal counts by the alphabet: the order of the patients must not matter.
    order = sorted(counts.index, key=lambda level: (-counts[level], level))
    kept = [level for level in order if counts[level] >= FEWEST_PATIENTS and level != OTHER]
    rest = int(counts.sum() - counts[kept].sum())
    return [*kept, OTHER] if rest >= FEWEST_PATIENTS else kept


def grouped(cells: "pd.Series[Any]", listed: list[str]) -> "pd.Series[Any]":
    """Return the cells of a category with each level that is not listed as *other*, or missing.

    Args:
        cells: (patient,) Of any patients.
        listed: Levels from :func:`frequent_levels`.
    """
    text = cells.map(level_text, na_action="ignore").astype(object)
    rest = OTHER if OTHER in listed else None
    result: pd.Series[Any] = text.where(text.isna() | text.isin(listed), rest)
    return result


def _why_not(column: str, cells: "pd.Series[Any]", task: str) -> str:
    """Return why a column may not predict a task; empty when it may."""
    words = set(re.split(r"[^a-z0-9]+", column.casefold()))
    if is_endpoint(column) or words & AFTERWARDS or "follow_up" in column.casefold():
        return "it tells what came after"
    if says_mvi(column) or (task.startswith("mvi") and counts_vessels(column)):
        return "it tells of vascular invasion"
    if words & NAMES or _counts_up(cells):
        return "a name or a running number"
    if words & DATES or _says_when(cells):
        return "a date"
    return ""


def _counts_up(cells: "pd.Series[Any]") -> bool:
    """Tell whether numbers are 1, 2, 3, ... in any order."""
    if not pd.api.types.is_numeric_dtype(cells) or len(cells) < 2 * FEWEST_PATIENTS:
        return False
    return bool(cells.is_unique and cells.max() - cells.min() == len(cells) - 1)


def _says_when(cells: "pd.Series[Any]") -> bool:
    """Tell whether texts are dates such as 2021-05-30 or 30.5.2021."""
    if pd.api.types.is_numeric_dtype(cells):
        return False
    dates = cells.astype(str).str.fullmatch(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T][\d:.Z+-]+)?")
    return bool(len(cells) and dates.all())

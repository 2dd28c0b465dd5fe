"""Counts of labels, events, centers and splits, and the clinical columns of training patients."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mtl_hcc.covariates.all_columns import all_columns
from mtl_hcc.covariates.clinical_columns import counts_vessels
from mtl_hcc.covariates.reader import CovariateKind, level_text, read_covariates
from mtl_hcc.data.endpoints import event_flags, target_columns
from mtl_hcc.errors import MtlHccError
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS
from mtl_hcc.planning.measured import Counted, CountedTable

SPECIMEN = {
    *("residual", "surgery", "surgical", "operation", "resection", "specimen", "transplant"),
    *("grade", "grading", "edmondson", "differentiation", "histology", "histologic", "pathology"),
    *("pathologic", "pathological", "ajcc", "ishak", "necrosis", "inflammation", "adjuvant"),
}
"""Words in the name of a column that is probably known after surgery only. A table cannot tell, so
they are left out and named: who knows better puts them in."""


def count_table(table: pd.DataFrame) -> CountedTable:
    """Count patients, labels and events: in all, by center, and by the column ``split``.

    Args:
        table: The cohort's table, indexed by ``patient_id``.
    """
    known = [*SURVIVAL_ENDPOINTS, *CLASS_COLUMNS]
    endpoints = [name for name in known if set(target_columns([name])) <= set(table)]
    return CountedTable(
        patients=len(table),
        endpoints=count_labels(table, endpoints),
        centers=_by(table, "center", endpoints),
        by_split=_by(table, "split", endpoints),
    )


def count_labels(table: pd.DataFrame, endpoints: Sequence[str]) -> dict[str, Counted]:
    """Count the labels of some patients.

    Args:
        table: Their rows.
        endpoints: Whose columns the table has.
    """
    return {name: _counted(table, name) for name in endpoints}


def usable_covariates(
    table: pd.DataFrame, train: pd.Index, endpoints: Sequence[str]
) -> tuple[dict[str, CovariateKind], dict[str, str]]:
    """Return clinical columns with how each is read, and why others are left out.

    What predicts is chosen on training patients. Of the others only the spelling counts: a level
    that no training patient has is listed too, and a column with a text where the training patients
    have numbers is left out, since a training that meets what it does not know stops.

    Args:
        table: The cohort's table.
        train: Training patients.
        endpoints: Endpoints to train.
    """
    kinds, left_out = all_columns(table.loc[train], endpoints[0])
    for column, kind in list(kinds.items()):
        if words := set(re.split(r"[^a-z]+", column.casefold())) & SPECIMEN:
            del kinds[column]
            left_out[column] = f"'{min(words)}': probably known after surgery only"
            continue
        if counts_vessels(column) and {"mvi", "mvi_grade"} & set(endpoints):
            del kinds[column]
            left_out[column] = "a pathological stage counts vascular invasion"
            continue
        if column == "afp_ng_ml" and kind == "linear":
            kinds[column] = "log"  # it spans decades, also where this cohort's does not
        if isinstance(kind, list):
            kinds[column] = _all_levels(table[column], kind)
        try:
            read_covariates(table, {column: kinds[column]})
        except MtlHccError as error:
            del kinds[column]
            left_out[column] = f"not readable for all patients: {error.found}"
    return kinds, left_out


def terms_of(kinds: Mapping[str, CovariateKind]) -> int:
    """Return how many coefficients a model of these columns has."""
    return sum(len(kind) - 1 if isinstance(kind, list) else 1 for kind in kinds.values())


def _all_levels(cells: "pd.Series[Any]", frequent: list[str]) -> list[str]:
    """Return the frequent levels of training patients, then all others that somebody has."""
    found = set(cells.dropna().map(level_text))
    kept = [level for level in frequent if level in found]
    return [*kept, *sorted(found - set(kept))]


def _by(
    table: pd.DataFrame, column: str, endpoints: Sequence[str]
) -> dict[str, dict[str, Counted]]:
    if column not in table:
        return {}
    names = table[column].astype(str).str.strip()
    return {str(name): count_labels(rows, endpoints) for name, rows in table.groupby(names)}


def _counted(table: pd.DataFrame, endpoint: str) -> Counted:
    known = table[target_columns([endpoint])].notna().all(axis=1)
    if endpoint in SURVIVAL_ENDPOINTS:
        events = int(event_flags(table, endpoint).sum())
    else:
        classes = range(CLASS_COLUMNS[endpoint])
        found = table.loc[known, endpoint].astype(float)
        events = min(int((found == number).sum()) for number in classes)
    return Counted(len(table), int(known.sum()), events)

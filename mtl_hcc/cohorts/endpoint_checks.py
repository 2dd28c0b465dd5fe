"""Whether a table, or one split of it, holds what an endpoint needs: labels, events, classes."""

from collections.abc import Iterable

import pandas as pd

from mtl_hcc.cohorts.column_map import missing_column
from mtl_hcc.errors import TableError


def check_endpoints(
    table: pd.DataFrame,
    *,
    endpoints: Iterable[str] = (),
    classes: Iterable[str] = (),
    where: str = "patients.csv",
) -> None:
    """Check that a table can train or test the given endpoints.

    Args:
        table: Table of :func:`read_patient_table`, or the part of it in one split.
        endpoints: Survival endpoints in use, e.g. ``["os", "rfs"]``.
        classes: Class columns in use, e.g. ``["mvi"]``.
        where: What the table is, for the message, e.g. ``"patients.csv, split train"``.

    Raises:
        TableError: A column is missing, nobody is labeled, everybody is censored, or all patients
            belong to one class.
    """
    for endpoint in endpoints:
        days, event = f"{endpoint}_days", f"{endpoint}_event"
        for column in (days, event):
            if column not in table:
                raise missing_column(column, list(table), where=where)
        labeled = table[[days, event]].dropna()
        if labeled.empty or not (labeled[event] == 1).any():
            raise TableError(
                f"every one of the {len(labeled)} labeled patients is censored"
                if len(labeled)
                else "no patient has a label",
                where=f"{where}, column {event}",
                expected=f"at least one event of {endpoint} (1 = occurred)",
                remedy=f"Check that columns.{event} names the right column and that 1 codes the "
                "event, or remove the head of this endpoint.",
            )
    for column in classes:
        if column not in table:
            raise missing_column(column, list(table), where=where)
        found = table[column].dropna()
        if found.nunique() < 2:
            raise TableError(
                f"all {len(found)} labeled patients have {column} {found.iloc[0]:g}"
                if len(found)
                else "no patient has a label",
                where=f"{where}, column {column}",
                expected="at least two classes",
                remedy=f"Check that columns.{column} names the right column, or remove the head "
                "of this task.",
            )

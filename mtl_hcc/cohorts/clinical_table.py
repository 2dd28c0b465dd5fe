"""A cohort that is only a clinical table: for models of clinical covariates, without images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.column_map import LABEL_COLUMNS, map_columns, missing_column, recode_values
from mtl_hcc.cohorts.patient_table import BadLabels, check_patient_table
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.cohorts.table_file import read_table_file
from mtl_hcc.errors import TableError
from mtl_hcc.patient import Cohort


class ClinicalTable(CohortSource):
    """Reads a CSV file with one row per patient.

    Args:
        columns: Contract name (``os_days``) to the user's column (``"OS (d)"``).
        values: Column to the user's words to numbers or other words, ``null`` being missing, e.g.
            ``{"mvi": {"absent": 0, "present": 1}}``.
        limits: Column to its smallest and largest plausible value. A value outside is emptied and
            reported, e.g. ``{"albumin_g_dl": [1, 7]}`` where some sites wrote g/L.
        missing_values: Texts that mean *not known*, besides the empty cell and NA.
        bad_labels: Leave out a patient with a value that cannot be true, or empty that endpoint.
        table: File name to look for when the cohort is given as a folder.

    Example:
        >>> source = ClinicalTable(columns={"mvi": "MVI"}, values={"mvi": {"no": 0, "yes": 1}})
    """

    def __init__(
        self,
        *,
        columns: dict[str, str] | None = None,
        values: dict[str, dict[str, float | str | None]] | None = None,
        limits: dict[str, tuple[float, float]] | None = None,
        missing_values: Sequence[str] = (),
        bad_labels: BadLabels = "quarantine",
        table: str = "patients.csv",
    ) -> None:
        self.columns = dict(columns or {})
        self.values = dict(values or {})
        self.limits = dict(limits or {})
        self.missing_values = tuple(missing_values)
        self.bad_labels: BadLabels = bad_labels
        self.table = table

    def read(self, root: Path) -> Cohort:
        """Return the cohort in the file ``root`` (or in ``root/<table>``)."""
        path = Path(root) / self.table if Path(root).is_dir() else Path(root)
        cells = self.contract_cells(self.text_cells(path), file=path.name)
        cells = recode_values(cells, self.values, file=path.name)
        table, quarantine = check_patient_table(cells, file=path.name, bad_labels=self.bad_labels)
        table, beyond = blank_implausible(table, self.limits_of(table), file=path.name)
        return Cohort(path, table, {}, pd.concat([quarantine, beyond], ignore_index=True))

    def text_cells(self, path: Path) -> pd.DataFrame:
        """Return the file's cells as text, with the user's column names."""
        return read_table_file(path, missing_values=self.missing_values)

    def contract_cells(self, cells: pd.DataFrame, *, file: str) -> pd.DataFrame:
        """Return the cells under the contract's column names."""
        return map_columns(cells, self.columns, file=file)

    def limits_of(self, table: pd.DataFrame) -> Mapping[str, tuple[float, float]]:
        """Return the plausible limits to apply to ``table``."""
        return self.limits


def blank_implausible(
    table: pd.DataFrame, limits: Mapping[str, tuple[float, float]], *, file: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Empty the values outside their plausible limits.

    Args:
        table: Checked table, indexed by patient.
        limits: Column to smallest and largest plausible value, both included.
        file: File name for messages.

    Returns:
        The table, and one quarantine row (``"kept: ..."``) per patient with an emptied value.
    """
    table = table.copy()
    reasons: dict[str, list[str]] = {}
    for column, (low, high) in limits.items():
        if column not in table:
            raise missing_column(column, list(table), where=file, setting=f"limits.{column}")
        if column in LABEL_COLUMNS or not pd.api.types.is_numeric_dtype(table[column]):
            raise TableError(
                f"limits.{column} is set, but the column holds "
                + ("labels" if column in LABEL_COLUMNS else "text"),
                where=f"{file}, column {column}",
                expected="limits for numeric clinical columns only",
                remedy="Labels are checked by themselves (bad_labels); remove this limit.",
            )
        outside = table[column].notna() & ~table[column].between(low, high)
        for name, value in table.loc[outside, column].items():
            reasons.setdefault(str(name), []).append(
                f"column {column}: {value:g} is outside {low:g} to {high:g}"
            )
        table.loc[outside, column] = np.nan
    told = {
        name: f"kept: {file}, {', '.join(found)}; blanked, correct the value or limits"
        for name, found in reasons.items()
    }
    rows = pd.DataFrame(
        {"patient_id": list(told), "step": "table", "reason": list(told.values())}, dtype=object
    )
    return table, rows

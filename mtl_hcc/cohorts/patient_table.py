"""The clinical table: which patients and labels can be believed, who is set aside and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.column_map import LABEL_COLUMNS, map_columns, missing_column
from mtl_hcc.cohorts.label_checks import (
    LabelFault,
    carries_unit,
    class_faults,
    name_faults,
    order_faults,
    survival_faults,
    table_remarks,
    to_numbers,
)
from mtl_hcc.cohorts.table_file import read_table_file
from mtl_hcc.errors import TableError
from mtl_hcc.metrics.predictions import POOLED
from mtl_hcc.patient import SURVIVAL_ENDPOINTS, empty_quarantine
from mtl_hcc.spreadsheet_cells import unusable_name

BadLabels = Literal["quarantine", "blank"]
UNKNOWN_CENTER = "unknown"
TEXT_COLUMNS = ("center", "split")


def read_patient_table(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    missing_values: Sequence[str] = (),
    bad_labels: BadLabels = "quarantine",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read and check one clinical table.

    Args:
        path: CSV file, separated by comma, semicolon or tab.
        columns: Contract name (``os_days``) to the user's column (``"OS (d)"``).
        missing_values: Texts that mean *not known*, besides the empty cell and NA.
        bad_labels: What happens to a patient with a value that cannot be true: the patient is left
            out (``"quarantine"``), or only that endpoint is emptied (``"blank"``).

    Returns:
        The table, indexed by ``patient_id`` (text), with ``center`` (text), numeric labels, times
        in days, missing labels NaN; and the quarantine ``patient_id, step, reason``, whose
        reasons start with ``"kept: "`` where the patient stayed in the table.

    Raises:
        TableError: The file or one of its columns as a whole cannot be used.
    """
    cells = read_table_file(path, missing_values=missing_values)
    cells = map_columns(cells, columns or {}, file=path.name)
    return check_patient_table(cells, file=path.name, bad_labels=bad_labels)


def check_patient_table(
    cells: pd.DataFrame, *, file: str, bad_labels: BadLabels = "quarantine"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check a table that already has the contract's column names.

    Args:
        cells: Texts or numbers with the column ``patient_id``; the index is the line in the file.
        file: File name for messages.
        bad_labels: As in :func:`read_patient_table`.

    Returns:
        Table and quarantine, as in :func:`read_patient_table`.
    """
    if "patient_id" not in cells:
        raise missing_column("patient_id", list(cells), where=file)
    _check_pairs(cells, file)
    named, quarantine = _check_names(cells, file)
    table, faults = _numbers(named, file)
    for column in TEXT_COLUMNS:
        if column in table:
            table[column] = table[column].astype(object)
    named_oddly = list(name_faults(table, TEXT_COLUMNS))
    for fault in named_oddly:
        table.loc[fault.line, list(fault.columns)] = np.nan
    faults += named_oddly
    table["center"] = _centers(table, file)
    found = [*survival_faults(table), *order_faults(table), *class_faults(table)]
    faults += found
    for fault in found:
        table.loc[fault.line, list(fault.columns)] = np.nan
    if "mvi_grade" in table:
        believed = ~table.index.isin([fault.line for fault in faults if "mvi" in fault.columns])
        derived = (table["mvi_grade"] > 0).astype(float)
        derived = derived.where(table["mvi_grade"].notna() & believed)
        table["mvi"] = table["mvi"].fillna(derived) if "mvi" in table else derived
    table, rows = _set_aside(table, faults, file, bad_labels)
    remarks = table_remarks(table, file=file)
    quarantine = pd.concat([remarks, quarantine, rows], ignore_index=True)
    if table.empty:
        raise TableError(
            f"no patient is left; the first reason: {quarantine['reason'].iloc[0]}",
            where=file,
            remedy="Correct the table, or map its columns with the setting 'columns'.",
        )
    first = [name for name in ("center", "split", *LABEL_COLUMNS) if name in table]
    others = [name for name in table if name not in (*first, "patient_id")]
    return table.set_index("patient_id")[[*first, *others]], quarantine


def _check_pairs(cells: pd.DataFrame, file: str) -> None:
    """A time column needs its event column."""
    for endpoint in SURVIVAL_ENDPOINTS:
        pair = [f"{endpoint}_days", f"{endpoint}_event"]
        present = [column for column in pair if column in cells]
        if len(present) == 1:
            absent = next(column for column in pair if column not in cells)
            error = missing_column(absent, list(cells), where=file)
            raise TableError(
                f"column {present[0]} without {absent}",
                where=file,
                expected=error.expected,
                remedy=error.remedy,
            )


def _check_names(cells: pd.DataFrame, file: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside rows without a usable patient_id, and patients that occur twice."""
    names = cells["patient_id"].map(lambda cell: cell if isinstance(cell, str) else f"{cell:g}")
    names = names.astype(object).where(cells["patient_id"].notna())
    reasons: dict[str, str] = {}
    for line in cells.index[names.isna()]:
        reasons[f"(line {line})"] = (
            f"{file}, line {line}, column patient_id: empty; fill in the patient's name"
        )
    known = names.dropna()
    for line, name in known.items():
        if odd := unusable_name(name):
            reasons[name] = (
                f"{file}, line {line}, column patient_id: {name!r} {odd}; use letters, digits, "
                "'-' and '_'"
            )
        elif any(sign in name for sign in '/\\:*?"<>|\0') or name.startswith("."):
            reasons[name] = (
                f"{file}, line {line}, column patient_id: {name!r} cannot be the name of a "
                "folder; use letters, digits, '-' and '_'"
            )
    for name in known[known.duplicated()].unique():
        lines = ", ".join(str(line) for line in known.index[known == name])
        reasons[name] = (
            f"{file}, lines {lines}, column patient_id: duplicate patient {name}; keep one row "
            "per patient"
        )
    table = cells.assign(patient_id=names)[~(names.isna() | names.isin(list(reasons)))]
    return table, _quarantine(reasons)


def _numbers(cells: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[LabelFault]]:
    """Type the columns: labels and columns with a unit are numbers, others if all cells are."""
    typed: dict[str, pd.Series] = {}
    faults: list[LabelFault] = []
    for column in map(str, cells):
        typed[column] = cells[column]
        if column in (*TEXT_COLUMNS, "patient_id"):
            continue
        if column in LABEL_COLUMNS or carries_unit(column):
            typed[column], found = to_numbers(cells[column], file=file)
            faults += found
        else:
            typed[column] = _numbers_if_all(cells[column], file)
    table = pd.DataFrame(typed, index=cells.index)
    for fault in faults:
        present = [column for column in fault.columns if column in table]
        table.loc[fault.line, present] = np.nan
    return table, faults


def _numbers_if_all(cells: pd.Series, file: str) -> pd.Series:
    try:
        numbers, faults = to_numbers(cells, file=file)
    except TableError:
        return cells
    return cells if faults else numbers


def _centers(table: pd.DataFrame, file: str) -> pd.Series:
    """Return the center of each patient as text."""
    if "center" not in table:
        return pd.Series(UNKNOWN_CENTER, index=table.index, dtype=object)
    centers = table["center"].fillna(UNKNOWN_CENTER).astype(str)
    taken = centers.str.strip().str.casefold() == POOLED
    if taken.any():
        raise TableError(
            f"a center is called {centers[taken].iloc[0]!r}, the name of the pooled results",
            where=f"{file}, line {taken.idxmax()}, column center",
            expected="a name of its own for each center",
            remedy="Give that center another name.",
        )
    return centers


def _set_aside(
    table: pd.DataFrame, faults: list[LabelFault], file: str, bad_labels: BadLabels
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop, or keep with blanked labels, the patients with faults; return who and why."""
    by_line: dict[int, list[LabelFault]] = {}
    for fault in faults:
        by_line.setdefault(fault.line, []).append(fault)
    reasons: dict[str, str] = {}
    dropped: list[int] = []
    for line, group in sorted(by_line.items()):
        kept = bad_labels == "blank" or all(fault.harmless for fault in group)
        if not kept:
            dropped.append(line)
        told = "; also ".join(fault.reason for fault in group)
        blanked = list(dict.fromkeys(column for fault in group for column in fault.columns))
        action = f" ({', '.join(blanked)} blanked)" if kept and blanked else ""
        name = str(table.loc[line, "patient_id"])
        reasons[name] = f"{'kept: ' if kept else ''}{file}, line {line}, {told}{action}"
    return table.drop(index=dropped), _quarantine(reasons)


def _quarantine(reasons: Mapping[str, str]) -> pd.DataFrame:
    """Return the quarantine table of this step."""
    if not reasons:
        return empty_quarantine()
    return pd.DataFrame(
        {"patient_id": list(reasons), "step": "table", "reason": list(reasons.values())}
    )

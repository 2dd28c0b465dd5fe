"""What of a clinical table cannot be true: one small check per kind of fault; what looks odd."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.metrics.time_units import unit_doubts
from mtl_hcc.patient import CLASS_COLUMNS, EVERYBODY, SURVIVAL_ENDPOINTS
from mtl_hcc.split_names import meant_split
from mtl_hcc.spreadsheet_cells import unusable_name

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNIT = re.compile(
    r".*_(days|weeks|months|years|mm|cm|mm2|cm2|mm3|cm3|kg|hu|percent"
    r"|((ng|ug|mg|g|iu|mu|u|mol|mmol|umol|10e3|10e9)_(ml|dl|l|ul)))"
)
OR_EMPTY = "or leave the cell empty if it is not known"


@dataclass(frozen=True)
class LabelFault:
    """One thing that cannot be true in one row.

    Attributes:
        line: Line in the file (the row's index).
        columns: What cannot be believed, and is blanked when the patient is kept.
        reason: Column, value and what to do.
        harmless: The patient is kept, with the labels as they are, and only reported.
    """

    line: int
    columns: tuple[str, ...]
    reason: str
    harmless: bool = False


def _number(line: Hashable) -> int:
    """Return an index label of the table as what it is: a line number."""
    return int(str(line))


def carries_unit(column: str) -> bool:
    """Return whether the name ends in a unit (``afp_ng_ml``), so that the cells are numbers."""
    return _UNIT.fullmatch(column) is not None


def endpoint_columns(column: str) -> tuple[str, ...]:
    """Return the columns that fall together with ``column``: time and event of one endpoint."""
    for endpoint in SURVIVAL_ENDPOINTS:
        pair = (f"{endpoint}_days", f"{endpoint}_event")
        if column in pair:
            return pair
    return (column,)


def to_numbers(cells: pd.Series, *, file: str) -> tuple[pd.Series, list[LabelFault]]:
    """Return a numeric column and the cells that are not numbers.

    Args:
        cells: Column of texts, numbers and NaN; the index is the line in the file.
        file: File name for messages.

    Raises:
        TableError: Most of the cells are text, so the column itself is the wrong one.
    """
    column = str(cells.name)
    known = cells.dropna()
    is_number = np.array([_is_number(cell) for cell in known], dtype=bool)
    bad = known[~is_number]
    if len(bad) * 2 > len(known):
        examples = ", ".join(repr(text) for text in list(dict.fromkeys(map(str, bad)))[:3])
        raise TableError(
            f"{len(bad)} of {len(known)} cells are text, e.g. {examples}",
            where=f"{file}, column {column}",
            expected="numbers",
            remedy=f"Map another column with columns.{column}, recode the words to numbers, or "
            "list words that mean 'not known' in missing_values.",
        )
    numbers = pd.Series(np.nan, index=cells.index, name=cells.name, dtype=float)
    numbers[known.index[is_number]] = known[is_number].astype(float)
    faults = [
        LabelFault(
            _number(line),
            endpoint_columns(column),
            f"column {column}: {text!r} is not a number; write one with a decimal point, "
            "list the text in missing_values, " + OR_EMPTY,
        )
        for line, text in bad.items()
    ]
    return numbers, faults


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return NUMBER.fullmatch(cell) is not None and np.isfinite(float(cell))
    return bool(np.isfinite(cell))  # type: ignore[call-overload]


def name_faults(table: pd.DataFrame, columns: Iterable[str]) -> Iterator[LabelFault]:
    """Yield names of centers and splits that a spreadsheet would run, or cannot show.

    Args:
        table: Texts, with any of the columns.
        columns: That hold names.
    """
    for column in columns:
        if column not in table:
            continue
        for line, name in table[column].dropna().items():
            if odd := unusable_name(str(name)):
                yield LabelFault(
                    _number(line),
                    (column,),
                    f"column {column}: {str(name)!r} {odd}; write another name",
                )


def survival_faults(table: pd.DataFrame) -> Iterator[LabelFault]:
    """Yield times that are not positive, events that are not 0/1, and one without the other."""
    for endpoint in SURVIVAL_ENDPOINTS:
        days, event = pair = (f"{endpoint}_days", f"{endpoint}_event")
        if days not in table:
            continue
        for line, time, happened in zip(table.index, table[days], table[event], strict=True):
            reason = _survival_fault(days, event, time, happened)
            if reason:
                yield LabelFault(_number(line), pair, reason)


def _survival_fault(days: str, event: str, time: float, happened: float) -> str:
    if np.isnan(time) and np.isnan(happened):
        return ""
    if np.isnan(time):
        return f"column {days}: empty although {event} is {happened:g}; fill it in, or empty both"
    if np.isnan(happened):
        return f"column {event}: empty although {days} is {time:g}; fill it in, or empty both"
    if time <= 0:
        kind = "zero" if time == 0 else "negative"
        return f"column {days}: {kind} time ({time:g}); write days after surgery > 0, {OR_EMPTY}"
    if happened not in (0, 1):
        return f"column {event}: {happened:g} is neither 0 nor 1; write 1 = occurred, {OR_EMPTY}"
    return ""


def order_faults(table: pd.DataFrame) -> Iterator[LabelFault]:
    """Yield recurrence-free survival that contradicts overall survival."""
    if not {"os_days", "rfs_days"} <= set(table):
        return
    # A negative OS is reported by itself and says nothing about RFS.
    later = (table["rfs_days"] > table["os_days"]) & (table["os_days"] >= 0)
    for line, row in table[later].iterrows():
        yield LabelFault(
            _number(line),
            ("rfs_days", "rfs_event"),
            f"column rfs_days: {row['rfs_days']:g} is longer than os_days {row['os_days']:g}; "
            "correct one of them, or empty rfs_days and rfs_event",
        )
    same = table["rfs_days"] == table["os_days"]
    for line in table.index[same & (table["rfs_event"] == 0) & (table["os_event"] == 1)]:
        yield LabelFault(
            _number(line),
            (),
            "column rfs_event: 0 although the patient died on that day; a death counts as an "
            "event of recurrence-free survival, so check how the endpoint was defined",
            harmless=True,
        )


def class_faults(table: pd.DataFrame) -> Iterator[LabelFault]:
    """Yield classes that do not exist and an MVI grade that contradicts MVI."""
    for column, classes in CLASS_COLUMNS.items():
        if column not in table:
            continue
        allowed = list(range(classes))
        names = " nor ".join(map(str, allowed)) if classes == 2 else f"none of {allowed}"
        wrong = table[column].notna() & ~table[column].isin(allowed)
        for line, value in table.loc[wrong, column].items():
            verdict = f"neither {names}" if classes == 2 else names
            yield LabelFault(
                _number(line),
                (column,),
                f"column {column}: {value:g} is {verdict}; correct it, {OR_EMPTY}",
            )
    if not {"mvi", "mvi_grade"} <= set(table):
        return
    both = table[["mvi", "mvi_grade"]].dropna()
    for line, row in both[(both["mvi"] > 0) != (both["mvi_grade"] > 0)].iterrows():
        yield LabelFault(
            _number(line),
            ("mvi", "mvi_grade"),
            f"column mvi_grade: {row['mvi_grade']:g} contradicts mvi {row['mvi']:g} "
            "(M0 is 0, M1 and M2 are 1); correct one of them, or empty both",
        )


def table_remarks(table: pd.DataFrame, *, file: str) -> pd.DataFrame:
    """Return one quarantine row on what looks odd in a whole table, or none.

    Unit of times, names of splits: no cell is wrong, everybody is kept. The row stands under the
    name *(all patients)* and is told wherever the quarantine is shown.

    Args:
        table: Checked, with ``center``.
        file: Its name, for messages.
    """
    said = []
    for endpoint in SURVIVAL_ENDPOINTS:
        column = f"{endpoint}_days"
        if column in table:
            doubts = unit_doubts(table[column], table["center"])
            said += [f"column {column}: {doubt}" for doubt in doubts]
    if "split" in table:
        for name, number in table["split"].dropna().astype(str).value_counts().items():
            if meant := meant_split(str(name)):
                said.append(
                    f"column split: {str(name)!r} ({number} patients) is not {meant}; rename it "
                    f"if {meant} is meant"
                )
    reasons = [f"kept: {file}, {'; also '.join(said)}"] if said else []
    rows = {"patient_id": [EVERYBODY] * len(reasons), "step": "table", "reason": reasons}
    return pd.DataFrame(rows, dtype=object)

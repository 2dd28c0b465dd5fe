"""What in a table of predictions cannot be true: ranges, tasks, repeated rows, two outcomes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.errors import PredictionsError
from mtl_hcc.metrics.prediction_columns import (
    CLASS_PATTERN,
    HORIZON_PATTERN,
    RESERVED,
    class_columns,
    patterned,
)

LONGEST_HORIZON = 36_525
"""Days, a hundred years."""
ROUNDED = 0.02
"""Class probabilities with two or three digits sum to 1 within this."""
OUTCOMES = {"time_days": 0.01, "event": 0.0, "label": 0.0}
"""Column of an outcome to how much two readings of it may differ."""
SINGLE = 1e-6
"""Share by which a time that went through a network in single precision may differ."""
RISE = 1e-6
"""A survival that is this much higher later is not rounding."""


def check_horizons(table: pd.DataFrame, where: str) -> None:
    """Refuse a horizon that is no follow-up, and two columns of one horizon.

    Args:
        table: Before its columns have types.
        where: Name of the table for messages.
    """
    seen: dict[int, str] = {}
    for name in patterned(table, HORIZON_PATTERN):
        digits = name.rpartition("_")[2].lstrip("0")
        days = int(digits) if digits and len(digits) <= len(str(LONGEST_HORIZON)) else 0
        if not 1 <= days <= LONGEST_HORIZON:
            raise PredictionsError(
                f"column {name}",
                where=where,
                expected=f"survival_<days> with a horizon of 1 to {LONGEST_HORIZON} days",
                remedy="Rename the column, or take it away.",
            )
        if days in seen:
            raise PredictionsError(
                f"two columns of one horizon, {seen[days]} and {name}",
                where=where,
                expected="one column per horizon",
                remedy="Take one of them away.",
            )
        seen[days] = name


def check_values(table: pd.DataFrame, where: str) -> None:
    """Check the range of every number that is there."""
    refuse(table, table["time_days"] < 0, "time_days", None, "days, zero or more", where)
    wrong_event = table["event"].notna() & ~table["event"].isin([0, 1])
    refuse(table, wrong_event, "event", None, "0 (censored) or 1 (occurred)", where)
    wrong_label = table["label"].notna() & ((table["label"] < 0) | (table["label"] % 1 != 0))
    refuse(table, wrong_label, "label", None, "a class number 0, 1, ...", where)
    for column in ("probability", *patterned(table, HORIZON_PATTERN, CLASS_PATTERN)):
        outside = (table[column] < 0) | (table[column] > 1)
        refuse(table, outside, column, None, "a probability between 0 and 1", where)


def check_tasks(table: pd.DataFrame, where: str) -> None:
    """Check that each task is either survival or classification, and predicted for every row."""
    for (_, task), rows in table.groupby(["model", "task"], sort=False):
        classes = class_columns(rows)
        columns = [name for name in ("risk", "probability") if rows[name].notna().any()]
        if len(columns) == 2 or (classes and "risk" in columns):
            columns, classes = ["risk"], []
            both = rows[["probability", *patterned(table, CLASS_PATTERN)]].notna().any(axis=1)
            refuse(
                table, both.reindex(table.index, fill_value=False), "probability", None,
                f"task {task} to have either a risk (survival) or a probability (class)", where,
            )  # fmt: skip
        if not columns and not classes:
            raise PredictionsError(
                f"unknown task {task!r}: its rows hold neither a risk nor a probability",
                where=f"{where}, line {_line(rows.index[0])}, column task",
                remedy="Predict the task, or drop its rows.",
            )
        for column in columns or classes:
            absent = rows[column].isna().reindex(table.index, fill_value=False)
            expected = f"a prediction of {task} in each of its rows; only an outcome may be missing"
            refuse(table, absent, column, "an empty cell or NaN", expected, where)
        _check_label_range(table, rows, classes, where)
        _check_sums(table, rows, classes, where)
        _check_order_of_horizons(table, rows, where)


def _check_label_range(
    table: pd.DataFrame, rows: pd.DataFrame, classes: Sequence[str], where: str
) -> None:
    number = max(2, len(classes))
    above = (rows["label"] >= number).reindex(table.index, fill_value=False)
    expected = f"a class number below {number}, as many as there are probabilities"
    refuse(table, above, "label", None, expected, where)


def _check_sums(
    table: pd.DataFrame, rows: pd.DataFrame, classes: Sequence[str], where: str
) -> None:
    """Check that the probabilities of all classes sum to 1."""
    if len(classes) < 2:
        return
    sums = rows[list(classes)].sum(axis=1)
    off = ((sums - 1).abs() > ROUNDED).reindex(table.index, fill_value=False)
    first = (
        f"{classes[0]} to {classes[-1]} sum to {sums[off[sums.index]].iloc[0]:.3g}"
        if any(off)
        else ""
    )
    refuse(table, off, classes[0], first, "class probabilities that sum to 1", where)


def _check_order_of_horizons(table: pd.DataFrame, rows: pd.DataFrame, where: str) -> None:
    """Refuse survival that rises over time in most rows: columns were exchanged."""
    rising = rising_survival(rows)
    if rising.sum() * 2 > len(rows):
        earlier, later = rise_of(rows[rising].iloc[0])
        raise PredictionsError(
            f"{later} is above {earlier}: survival rises in {rising.sum()} of {len(rows)} rows",
            where=f"{where}, line {_line(rows.index[rising][0])}, patient "
            f"{rows.loc[rising, 'patient_id'].iloc[0]}",
            expected="survival that falls over time, the column named after the day",
            remedy="Were two columns exchanged, or do they hold the probability of the event?",
        )


def rising_survival(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return the rows whose predicted survival is higher at a later horizon.

    Args:
        rows: Of a checked table.
    """
    values = rows[_in_time(rows)].to_numpy(dtype=float)
    # The lowest value so far; where a horizon is empty, that of the horizons before it.
    lowest = np.fmin.accumulate(values, axis=1) if values.shape[1] else values
    with np.errstate(invalid="ignore"):
        rises = (values[:, 1:] > lowest[:, :-1] + RISE).any(axis=1)
    return pd.Series(rises, index=rows.index, dtype=bool)


def rise_of(row: "pd.Series[float]") -> tuple[str, str]:
    """Return the two columns between which one row's survival rises first."""
    names = [name for name in _in_time(row.to_frame().T) if pd.notna(row[name])]
    pairs = [
        (a, b) for place, b in enumerate(names) for a in names[:place] if row[b] > row[a] + RISE
    ]
    return pairs[0]


def _in_time(rows: pd.DataFrame) -> list[str]:
    return sorted(patterned(rows, HORIZON_PATTERN), key=lambda name: int(name.rpartition("_")[2]))


def check_outcomes(table: pd.DataFrame, where: str) -> None:
    """Refuse a patient with two outcomes of one task in the folds of one model."""
    for column in OUTCOMES:
        differs = differing(table, column, ["model", "task", "patient_id"])
        if differs.any():
            first = table[differs].iloc[0]
            same = table[["model", "task", "patient_id"]] == first[["model", "task", "patient_id"]]
            other = table[same.all(axis=1) & ~differs].dropna(subset=[column]).iloc[0]
            found = f"{first[column]:g} in fold {first['fold']}, {other[column]:g} in fold "
            expected = "one outcome per patient and task in all folds"
            refuse(table, differs, column, f"{found}{other['fold']}", expected, where)


def differing(table: pd.DataFrame, column: str, same: list[str]) -> "pd.Series[bool]":
    """Return the rows whose outcome is another than the lowest of the same patient.

    Args:
        table: Checked.
        column: ``time_days``, ``event`` or ``label``; empty cells differ from nothing.
        same: Columns that say which rows are of one patient and task.
    """
    lowest = table.groupby(same, sort=False)[column].transform("min")
    near = OUTCOMES[column] + SINGLE * lowest.abs()
    return (table[column] > lowest + near).fillna(False).astype(bool)


def check_rows(table: pd.DataFrame, where: str) -> None:
    """Check that a patient appears once per task and fold, and in one split of a fold."""
    row = ["model", "patient_id", "task", "fold"]
    refuse(
        table, table.duplicated([*row, "split"]), "patient_id", None,
        "one row per patient, task, fold and split", where,
    )  # fmt: skip
    refuse(
        table, table.duplicated(row), "split", None,
        "each patient in one split of a fold (else the test is not independent)", where,
    )  # fmt: skip


def refuse_reserved(table: pd.DataFrame, where: str) -> None:
    """Refuse names that results use for something else: one would replace the other there."""
    for column, (names, meaning) in RESERVED.items():
        taken = table[column].str.casefold().isin(names)
        refuse(
            table, taken, column, None, f"a name of its own: this one {meaning}", where,
            remedy=f"Rename that {column} in every row.",
        )  # fmt: skip


def _line(index: object) -> int:
    """Line of a row in the CSV file: the header is line 1."""
    return int(str(index)) + 2


def refuse(
    table: pd.DataFrame,
    wrong: npt.ArrayLike,
    column: str,
    found: str | None,
    expected: str,
    where: str,
    *,
    remedy: str = "Mend or drop the row, or run predict again.",
) -> None:
    """Raise an error that names the first wrong row and counts the others."""
    rows = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if len(rows) == 0:
        return
    first = rows[0]
    found = found or repr(str(table[column].iloc[first]))
    others = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
    raise PredictionsError(
        found + others,
        where=f"{where}, line {_line(first)}, patient {table['patient_id'].iloc[first]!s}, "
        f"task {table['task'].iloc[first]!s}, column {column}",
        expected=expected,
        remedy=remedy,
    )

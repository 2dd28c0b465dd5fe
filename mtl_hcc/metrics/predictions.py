"""Which table of predictions is accepted: the contract of ``predictions.csv``, read and checked."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.errors import PredictionsError

TaskKind = Literal["survival", "binary", "multiclass"]

REQUIRED_COLUMNS = ("patient_id", "center", "split", "fold", "task")
NUMERIC_COLUMNS = ("risk", "time_days", "event", "label", "probability")
POOLED = "all"
"""Center of the rows of metrics over all centers."""
RESERVED = {
    "center": ((POOLED,), "stands for all centers together in metrics.csv"),
    "model": (("treat all", "treat none"), "is a strategy without a model in decision curves"),
}
"""Column to the names that nobody else can have, and what they mean."""
EMPTY_CELLS = ("", "nan", "NaN", "NA", "None")
HORIZON_PATTERN = re.compile(r"survival_(\d+)")
CLASS_PATTERN = re.compile(r"probability_(\d+)")


def read_predictions(path: Path, *, model: str | None = None) -> pd.DataFrame:
    """Read and check one ``predictions.csv``.

    Args:
        path: The CSV file.
        model: Name for the column ``model``; a file may bring the column itself. Default: the name
            of the run folder (of the file when it is not called ``predictions.csv``).

    Returns:
        Table as from :func:`check_predictions`.

    Raises:
        PredictionsError: The file is absent, is not a CSV table, or breaks the contract.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise PredictionsError(
            f"cannot be read ({error})",
            where=str(path),
            expected="a CSV table with a header",
            remedy="Name the predictions.csv that fit or predict wrote.",
        ) from error
    if model is None and "model" not in table:
        model = path.resolve().parent.name if path.stem == "predictions" else path.stem
    if model is not None:
        table["model"] = model
    return check_predictions(table, where=str(path))


def check_predictions(table: pd.DataFrame, *, where: str = "predictions") -> pd.DataFrame:
    """Check a table of predictions and give its columns their types.

    Args:
        table: One row per model, patient, task and fold; see the contract of ``predictions.csv``.
        where: Name of the table for messages.

    Returns:
        A copy: names as text, numbers as float (empty = NaN), ``fold`` as int (0 when empty),
        ``model`` added when absent, all of the contract's columns present.

    Raises:
        PredictionsError: With the file, the line and the column to mend.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if not {"risk", "probability", "probability_0"} & set(table.columns):
        missing.append("risk or probability")
    if missing:
        raise PredictionsError(
            f"no column {', '.join(missing)}",
            where=where,
            expected=f"the columns {', '.join(REQUIRED_COLUMNS)}, and risk or probability",
            remedy="Take the table as fit or predict wrote it, or add the columns.",
        )
    if table.empty:
        raise PredictionsError("no rows", where=where, remedy="Run predict again.")
    checked = table.reset_index(drop=True).copy()
    if "model" not in checked:
        checked["model"] = "model"
    for column in ("model", "patient_id", "center", "split", "task"):
        checked[column] = _as_text(checked[column])
        if column != "center":
            _refuse(checked, checked[column] == "", column, "an empty cell", "a name", where)
    _refuse_reserved(checked, where)
    for column in (*NUMERIC_COLUMNS, *_patterned(checked, HORIZON_PATTERN, CLASS_PATTERN)):
        if column not in checked:
            checked[column] = np.nan
        checked[column] = _as_number(checked, column, where)
    checked["fold"] = _as_number(checked, "fold", where).fillna(0).astype(int)
    _check_values(checked, where)
    _check_tasks(checked, where)
    _check_rows(checked, where)
    return checked


def task_kind(rows: pd.DataFrame) -> TaskKind:
    """Return the kind of one task from all rows of one model: with a ``risk`` it is survival."""
    if rows["risk"].notna().any():
        return "survival"
    several = len(class_columns(rows)) > 2 or rows["probability"].isna().all()
    return "multiclass" if several else "binary"


def with_outcome(rows: pd.DataFrame, kind: TaskKind) -> pd.DataFrame:
    """Return the rows whose outcome is known; an empty cell is a missing label."""
    columns = ["time_days", "event"] if kind == "survival" else ["label"]
    return rows.dropna(subset=columns).reset_index(drop=True)


def class_columns(rows: pd.DataFrame) -> list[str]:
    """Return the filled columns ``probability_<k>`` of one task's rows, in the order of k."""
    filled = [name for name in _patterned(rows, CLASS_PATTERN) if rows[name].notna().any()]
    return sorted(filled, key=lambda name: int(name.rpartition("_")[2]))


def _patterned(table: pd.DataFrame, *patterns: re.Pattern[str]) -> list[str]:
    """Names of the columns that match one of the patterns in full."""
    return [str(name) for name in table if any(p.fullmatch(str(name)) for p in patterns)]


def _as_text(cells: "pd.Series[str]") -> "pd.Series[str]":
    return cells.where(cells.notna(), "").astype(str).str.strip()


def _as_number(table: pd.DataFrame, column: str, where: str) -> "pd.Series[float]":
    cells = table[column]
    if not pd.api.types.is_numeric_dtype(cells):
        text = _as_text(cells)
        cells = text.mask(text.isin(EMPTY_CELLS))
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    _refuse(table, numbers.isna() & cells.notna(), column, None, "a number", where)
    _refuse(table, np.isinf(numbers), column, None, "a finite number", where)
    return numbers


def _check_values(table: pd.DataFrame, where: str) -> None:
    """Check the range of every number that is there."""
    _refuse(table, table["time_days"] < 0, "time_days", None, "days, zero or more", where)
    wrong_event = table["event"].notna() & ~table["event"].isin([0, 1])
    _refuse(table, wrong_event, "event", None, "0 (censored) or 1 (occurred)", where)
    wrong_label = table["label"].notna() & ((table["label"] < 0) | (table["label"] % 1 != 0))
    _refuse(table, wrong_label, "label", None, "a class number 0, 1, ...", where)
    for column in ("probability", *_patterned(table, HORIZON_PATTERN, CLASS_PATTERN)):
        outside = (table[column] < 0) | (table[column] > 1)
        _refuse(table, outside, column, None, "a probability between 0 and 1", where)


def _check_tasks(table: pd.DataFrame, where: str) -> None:
    """Check that each task is either survival or classification, and predicted for every row."""
    for (_, task), rows in table.groupby(["model", "task"], sort=False):
        classes = class_columns(rows)
        columns = [name for name in ("risk", "probability") if rows[name].notna().any()]
        if len(columns) == 2 or (classes and "risk" in columns):
            columns, classes = ["risk"], []
            both = rows[["probability", *_patterned(table, CLASS_PATTERN)]].notna().any(axis=1)
            _refuse(
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
            _refuse(table, absent, column, "an empty cell or NaN", expected, where)
        _check_label_range(table, rows, classes, where)


def _check_label_range(
    table: pd.DataFrame, rows: pd.DataFrame, classes: Sequence[str], where: str
) -> None:
    number = max(2, len(classes))
    above = (rows["label"] >= number).reindex(table.index, fill_value=False)
    expected = f"a class number below {number}, as many as there are probabilities"
    _refuse(table, above, "label", None, expected, where)


def _check_rows(table: pd.DataFrame, where: str) -> None:
    """Check that a patient appears once per task and fold, and in one split of a fold."""
    row = ["model", "patient_id", "task", "fold"]
    _refuse(
        table, table.duplicated([*row, "split"]), "patient_id", None,
        "one row per patient, task, fold and split", where,
    )  # fmt: skip
    _refuse(
        table, table.duplicated(row), "split", None,
        "each patient in one split of a fold (else the test is not independent)", where,
    )  # fmt: skip


def _refuse_reserved(table: pd.DataFrame, where: str) -> None:
    """Refuse names that results use for something else: one would replace the other there."""
    for column, (names, meaning) in RESERVED.items():
        taken = table[column].str.casefold().isin(names)
        _refuse(
            table, taken, column, None, f"a name of its own: this one {meaning}", where,
            remedy=f"Rename that {column} in every row.",
        )  # fmt: skip


def _line(index: object) -> int:
    """Line of a row in the CSV file: the header is line 1."""
    return int(str(index)) + 2


def _refuse(
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

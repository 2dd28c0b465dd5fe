"""Which tables of predictions are accepted: ``predictions.csv``, read, checked, put together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mtl_hcc.errors import ConfigError, PredictionsError
from mtl_hcc.metrics.prediction_checks import (
    check_horizons,
    check_outcomes,
    check_rows,
    check_tasks,
    check_values,
    refuse,
    refuse_reserved,
)
from mtl_hcc.metrics.prediction_columns import (
    CLASS_PATTERN,
    HORIZON_PATTERN,
    NUMERIC_COLUMNS,
    POOLED,
    REQUIRED_COLUMNS,
    class_columns,
    meant_column,
    patterned,
)
from mtl_hcc.spreadsheet_cells import restored, unusable_name

TaskKind = Literal["survival", "binary", "multiclass"]

EMPTY_CELLS = ("", "nan", "NaN", "NA", "None")
NAMES = ("model", "patient_id", "center", "split", "task")
LARGEST_FOLD = 10**6
__all__ = ["HORIZON_PATTERN", "TaskKind", "check_predictions", "class_columns", "read_predictions"]
__all__ += ["POOLED", "task_kind", "with_outcome"]


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
        table = restored(pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig"))
        if not isinstance(table.index, pd.RangeIndex):  # pandas would shift every column by one
            raise ValueError("its rows have more cells than its header")
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


class Predictions(pd.DataFrame):
    """A table of predictions that was checked: it need not be checked again.

    Whatever pandas derives from it (a selection, a concatenation) is a plain table.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:  # what pandas offers to those who subclass it
        return pd.DataFrame


def check_predictions(table: pd.DataFrame, *, where: str = "predictions") -> Predictions:
    """Check a table of predictions and give its columns their types; once is enough.

    Args:
        table: One row per model, patient, task and fold; see the contract of ``predictions.csv``.
        where: Name of the table for messages.

    Returns:
        A copy: names as text, numbers as float (empty = NaN), ``fold`` as int (0 when empty),
        ``model`` added when absent, all of the contract's columns present.

    Raises:
        PredictionsError: With the file, the line and the column to mend.
    """
    if isinstance(table, Predictions):
        return Predictions(table.copy())
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if not {"risk", "probability", "probability_0"} & set(table.columns):
        missing.append("risk or probability")
    if missing:
        meant = {str(name): meant_column(str(name)) for name in table}
        close = [name for name, read in meant.items() if read != name and read in _said(missing)]
        raise PredictionsError(
            f"no column {', '.join(missing)}",
            where=where,
            expected=f"the columns {', '.join(REQUIRED_COLUMNS)}, and risk or probability",
            remedy=(f"Is it {', '.join(close)}? Rename it. " if close else "")
            + ("Save it separated by commas. " if _other_delimiter(table) else "")
            + "Take the table as fit or predict wrote it, or add the columns.",
        )
    if table.empty:
        raise PredictionsError("no rows", where=where, remedy="Run predict again.")
    checked = table.reset_index(drop=True).copy()
    if "model" not in checked:
        checked["model"] = "model"
    check_horizons(checked, where)
    for column in NAMES:
        checked[column] = _as_text(checked[column])
        unusable = checked[column].map({text: unusable_name(text) for text in set(checked[column])})
        refuse(
            checked, unusable != "", column, None,
            f"another name: this one {next(iter(set(unusable) - {''}), '')}", where,
        )  # fmt: skip
        if column != "center":
            refuse(checked, checked[column] == "", column, "an empty cell", "a name", where)
    refuse_reserved(checked, where)
    for column in (*NUMERIC_COLUMNS, *patterned(checked, HORIZON_PATTERN, CLASS_PATTERN)):
        if column not in checked:
            checked[column] = np.nan
        checked[column] = _as_number(checked, column, where)
    checked["fold"] = _folds(checked, where)
    check_values(checked, where)
    check_tasks(checked, where)
    check_rows(checked, where)
    check_outcomes(checked, where)
    return Predictions(checked)


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


def _folds(table: pd.DataFrame, where: str) -> "pd.Series[int]":
    """Return the number of each row's fold, 0 where the cell is empty."""
    numbers = _as_number(table, "fold", where).fillna(0)
    whole = (numbers % 1 == 0) & numbers.between(0, LARGEST_FOLD)
    refuse(table, ~whole, "fold", None, "a whole number, 0 or more", where)
    return numbers.astype(int)


def _other_delimiter(table: pd.DataFrame) -> bool:
    """Tell whether the whole header is one cell, as with semicolons or tabs."""
    return any(sign in str(name) for name in table for sign in ";\t")


def _said(missing: list[str]) -> set[str]:
    """Return the names of columns behind what a message calls them."""
    return {part for name in missing for part in name.split(" or ")}


def _as_text(cells: "pd.Series[str]") -> "pd.Series[str]":
    return cells.where(cells.notna(), "").astype(str).str.strip()


def _as_number(table: pd.DataFrame, column: str, where: str) -> "pd.Series[float]":
    cells = table[column]
    if not pd.api.types.is_numeric_dtype(cells):
        text = _as_text(cells)
        cells = text.mask(text.isin(EMPTY_CELLS))
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    refuse(table, numbers.isna() & cells.notna(), column, None, "a number", where)
    refuse(table, np.isinf(numbers), column, None, "a finite number", where)
    return numbers


def read_prediction_files(
    files: Sequence[Path], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read and check one or more ``predictions.csv``.

    Args:
        files: The CSV files; the first model of the first is the one that is judged.
        names: Name of each file's model; default: of its run folder.

    Returns:
        Table as from ``check_predictions``, with the column ``model``.

    Raises:
        ConfigError: Not one name per file, or two files hold models of one name.
        PredictionsError: A file breaks the contract.
    """
    if names is not None and len(names) != len(files):
        raise ConfigError(
            f"{len(names)} names for {len(files)} files",
            where="--names",
            remedy="Give one name per file, in the order of --predictions.",
        )
    chosen: Sequence[str | None] = names or [None] * len(files)
    tables = [read_predictions(path, model=name) for path, name in zip(files, chosen, strict=True)]
    _refuse_same_names(tables, files)
    return pd.concat(tables, ignore_index=True)


def _refuse_same_names(tables: Sequence[pd.DataFrame], files: Sequence[Path]) -> None:
    """Refuse two files whose models have one name: their rows would be taken for one model's."""
    seen: dict[str, Path] = {}
    for table, path in zip(tables, files, strict=True):
        for model in table["model"].unique():
            if model in seen:
                raise ConfigError(
                    f"{seen[model]} and {path} both hold a model called {model}",
                    where="--predictions",
                    remedy="Name them: --names first second.",
                )
            seen[model] = path

"""From the user's columns and words to the contract's: names, recoded values, plausible limits."""

import difflib
from collections.abc import Hashable, Iterable, Mapping

import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS

LABEL_COLUMNS = (
    *(f"{endpoint}_{part}" for endpoint in SURVIVAL_ENDPOINTS for part in ("days", "event")),
    *CLASS_COLUMNS,
)
"""Endpoint columns of the contract; each is optional and always numeric."""
CONTRACT_COLUMNS = ("patient_id", "center", "split", *LABEL_COLUMNS)


def missing_column(
    column: str, existing: Iterable[Hashable], *, where: str, setting: str = ""
) -> TableError:
    """Return the error for a column that is not there, naming the ones that are.

    Args:
        column: Name that was looked for.
        existing: Names in the table.
        where: File, or split, in which it was looked for.
        setting: Setting that named the column, e.g. ``"columns.os_days"``.
    """
    names = [str(name) for name in existing]
    by_case = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(column.casefold(), by_case, n=3, cutoff=0.5)
    likely = ", ".join(by_case[name] for name in close)
    remedy = f"Did you mean {likely}? " if likely else ""
    key = setting or f"columns.{column}"
    return TableError(
        f"no column {column!r}" + (f" (asked for by {setting})" if setting else ""),
        where=where,
        expected=f"one of the columns that exist: {', '.join(names)}",
        remedy=f"{remedy}Set {key} to the column that holds it, or add the column.",
    )


def map_columns(cells: pd.DataFrame, columns: Mapping[str, str], *, file: str) -> pd.DataFrame:
    """Return the table with the contract's column names.

    Args:
        cells: Table with the user's column names.
        columns: Contract name to user's name. A mapping wins over a column that already has the
            contract's name; one user's column may serve several contract names, each of which
            names it. Columns that are not named keep their name.
        file: File name for messages.

    Raises:
        TableError: A user's column does not exist, or a contract name is misspelt.
    """
    for contract, user in columns.items():
        close = difflib.get_close_matches(contract, CONTRACT_COLUMNS, n=1, cutoff=0.9)
        if close and contract not in CONTRACT_COLUMNS:
            raise TableError(
                f"columns.{contract} is not a column of the contract",
                where=file,
                expected=f"one of {', '.join(CONTRACT_COLUMNS)} or the name of a clinical column",
                remedy=f"Did you mean columns.{close[0]}?",
            )
        if user not in cells:
            raise missing_column(user, list(cells), where=file, setting=f"columns.{contract}")
    used = set(columns.values())
    kept = [name for name in cells if name not in used and name not in columns]
    mapped = cells[list(columns.values())].set_axis(list(columns), axis="columns")
    return pd.concat([mapped, cells[kept]], axis="columns")


def recode_values(
    cells: pd.DataFrame, values: Mapping[str, Mapping[str, float | str | None]], *, file: str
) -> pd.DataFrame:
    """Replace the user's words by numbers or other words; ``None`` means missing.

    Args:
        cells: Table with the contract's column names, text cells.
        values: Column to user's text to new value. Upper and lower case are not told apart;
            texts that are not listed stay.
        file: File name for messages.
    """
    cells = cells.copy()
    for column, words in values.items():
        if column not in cells:
            raise missing_column(column, list(cells), where=file, setting=f"values.{column}")
        recoded = {word.casefold(): value for word, value in words.items()}
        cells[column] = [
            recoded.get(cell.casefold(), cell) if isinstance(cell, str) else cell
            for cell in cells[column]
        ]
        cells[column] = cells[column].astype(object).where(cells[column].notna())
    return cells

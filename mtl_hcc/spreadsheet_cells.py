"""Texts that a spreadsheet would run as a formula: refused as names, defused in our files.

Excel, LibreOffice and Sheets run a cell of a CSV file that begins with ``=``, ``+``, ``-`` or ``@``
(OWASP, *CSV Injection*). Names (patient, center, split, task, model) with such a beginning are
refused where a table is read. Texts that come from elsewhere, such as clinical columns, get an
apostrophe in the files that we write, and lose it where we read those files again: every text comes
back as it was. Numbers, intervals (``-0.06 (-0.10 to 0.02)``) and signs alone (``+``, ``--``) stay.
"""

import re
from collections.abc import Callable

import pandas as pd

_SIGN = r"[+-](?!(?:to|inf|[\d\s.,:;%()<>+\u2013-]|[eE][+-]?\d)*$)"
_FORMULA = re.compile(rf"\s*(?:[=@]|{_SIGN})|[\t\r\n]", re.DOTALL)
_QUOTED = re.compile(rf"'+(?:{_FORMULA.pattern})", re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def runs_as_formula(text: str) -> bool:
    """Tell whether a spreadsheet would take a cell for a formula.

    Example:
        >>> [runs_as_formula(text) for text in ("=cmd|' /C calc'!A0", "-2+3+cmd|x", "@SUM(A1)")]
        [True, True, True]
        >>> [runs_as_formula(text) for text in ("-1.5", "+", "-0.06 (-0.10 to 0.02)", "a=b")]
        [False, False, False, False]
    """
    return _FORMULA.match(text) is not None


def unusable_name(text: str) -> str:
    """Return why a text cannot be a name, empty when it can: a formula, or a control character."""
    if runs_as_formula(text):
        return "begins like a formula, which a spreadsheet would run"
    if CONTROL.search(text):
        return "holds a control character (tab, line break or the like)"
    return ""


def defused(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts no spreadsheet runs: an apostrophe stands before those it would.

    Args:
        table: Of any columns; their names are texts, too. The index stays as it is.
    """
    return _each_text(table, lambda text: f"'{text}" if _marked(text) else text)


def restored(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it was before :func:`defused`."""
    return _each_text(table, lambda text: text[1:] if _QUOTED.match(text) else text)


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table, without its index, as the content of a CSV file that no spreadsheet runs.

    Line breaks within a cell become plain ones: a lone carriage return, which the csv library does
    not quote before Python 3.13, would end the line.
    """
    plain = _each_text(defused(table), lambda text: re.sub(r"\r\n?", "\n", text))
    return plain.to_csv(index=False).encode()


def _marked(text: str) -> bool:
    """Tell whether a text needs the apostrophe; one that already looks so needs another."""
    return runs_as_formula(text) or _QUOTED.match(text) is not None


def _each_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Apply a change to all texts of a table, its headings included."""

    def changed(cell: object) -> object:
        return change(cell) if isinstance(cell, str) else cell

    texts = [not pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    parts = [
        table.iloc[:, place].map(changed) if is_text else table.iloc[:, place]
        for place, is_text in enumerate(texts)
    ]
    out = pd.concat(parts, axis="columns") if parts else table.copy()
    out.columns = table.columns.map(changed)
    return out

"""How a table's file becomes cells of text: encoding, delimiter, header, decimal commas."""

import csv
import io
import re
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.errors import TableError

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan")
"""Cells that always mean *not known*, besides the ones a config names."""
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
DELIMITERS = (",", ";", "\t")


def read_table_file(
    path: Path, *, missing_values: Sequence[str] = (), comment: str | None = None
) -> pd.DataFrame:
    """Read a CSV file (comma, semicolon or tab) without interpreting its cells.

    Args:
        path: The file. UTF-8, with or without byte order mark, or UTF-16 with one.
        missing_values: Texts that mean *not known*, besides :data:`MISSING`.
        comment: Lines that start with this text are skipped.

    Returns:
        Text cells, stripped, missing ones NaN; the index ``line`` is the line in the file. In
        files that are not comma-separated, decimal commas have become points.

    Raises:
        TableError: The file cannot be read as a table; the message says where and what to do.
    """
    text = _decode(path)
    delimiter = _delimiter(text, comment)
    header, rows = _rows(text, delimiter, comment, path.name)
    if not rows:
        raise TableError(
            "a header but no patients" if header else "the file is empty",
            where=path.name,
            expected="a header line and one line per patient",
            remedy=f"Check that {path} is the right file and was saved completely.",
        )
    cells = pd.DataFrame(
        list(rows.values()), columns=header, index=pd.Index(list(rows), name="line"), dtype=object
    )
    cells = _without_unnamed(cells, path.name)
    cells = cells.mask(cells.isin([*MISSING, *missing_values]))
    return cells if delimiter == "," else _point_decimals(cells, path.name)


def unreadable(path: Path) -> str:
    """Return why what stands under a file's name is no file; empty where nothing does.

    Args:
        path: Of a table.
    """
    try:
        kind = path.lstat().st_mode
    except OSError:
        return ""
    if stat.S_ISLNK(kind) and not path.exists():
        return f"{path.name} is a link to {path.readlink()}, which is not there"
    names = {"pipe": Path.is_fifo, "socket": Path.is_socket, "device": Path.is_char_device}
    found = [name for name, test in names.items() if test(path)]
    return f"{path.name} is no regular file (a {found[0]})" if found else ""


def _decode(path: Path) -> str:
    """Return the file's text, or say why it is none."""
    if not path.is_file():
        raise TableError(
            "a folder was given" if path.is_dir() else unreadable(path) or "no such file",
            where=str(path),
            expected="a CSV file with one row per patient",
            remedy="Correct the path, or name the file in the cohort source's 'table' setting.",
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(
            f"the file cannot be opened ({error.strerror or error})",
            where=str(path),
            remedy="Check its permissions, and that no other program holds it open.",
        ) from error
    if path.suffix.lower() in SPREADSHEETS or data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TableError(
            "the file is a spreadsheet, not text",
            where=path.name,
            expected="a CSV file",
            remedy="Open it in the spreadsheet program and save it as 'CSV UTF-8'.",
        )
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TableError(
            f"line {line} is not UTF-8 text (byte 0x{data[error.start]:02x})",
            where=path.name,
            expected="a CSV file in UTF-8",
            remedy="Save the table as 'CSV UTF-8'.",
        ) from error
    if "\x00" in text:
        raise TableError(
            "the file holds binary data",
            where=path.name,
            expected="a CSV file in UTF-8",
            remedy="Save the table as 'CSV UTF-8'.",
        )
    return text


def _delimiter(text: str, comment: str | None) -> str:
    """Return the delimiter that the header line uses most, ignoring what stands in quotes."""
    lines = (line for line in text.splitlines() if line.strip())
    header = next((line for line in lines if not (comment and line.startswith(comment))), "")
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _rows(
    text: str, delimiter: str, comment: str | None, file: str
) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the rows by line number, all cells stripped."""
    header: list[str] = []
    rows: dict[int, list[str]] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for raw in reader:
            row = [cell.strip() for cell in raw]
            if not any(row) or (comment and row[0].startswith(comment)):
                continue
            if not header:
                header = row
                continue
            if len(row) != len(header):
                raise TableError(
                    f"line {reader.line_num} has {len(row)} cells, the header has {len(header)}",
                    where=file,
                    expected=f"the same number of cells, separated by {delimiter!r}",
                    remedy="Put quotation marks around cells that contain the delimiter.",
                )
            rows[reader.line_num] = row
    except csv.Error as error:
        raise TableError(
            f"line {reader.line_num} cannot be read as CSV ({error})",
            where=file,
            remedy="Look for a quotation mark that is not closed near that line.",
        ) from error
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise TableError(
            f"column {twice[0]!r} occurs more than once in the header",
            where=file,
            expected="every column name once",
            remedy="Rename or remove one of the two columns.",
        )
    return header, rows


def _without_unnamed(cells: pd.DataFrame, file: str) -> pd.DataFrame:
    """Drop empty columns without a name, which spreadsheets leave behind."""
    unnamed = cells.columns == ""
    if (cells.loc[:, unnamed] != "").any(axis=None):
        raise TableError(
            f"column {int(unnamed.argmax()) + 1} has cells but no name in the header",
            where=file,
            remedy="Give the column a name, or remove it.",
        )
    return cells.loc[:, ~unnamed]


def _point_decimals(cells: pd.DataFrame, file: str) -> pd.DataFrame:
    """Turn decimal commas into points in the columns that hold nothing but numbers."""
    cells = cells.copy()
    for column in cells:
        texts = cells[column].dropna().astype(str)
        comma = texts.str.fullmatch(r"[+-]?\d+,\d+")
        whole = texts.str.fullmatch(r"[+-]?\d+")
        if not comma.any() or not (comma | whole).all():
            continue
        if texts[comma].str.fullmatch(r"[+-]?\d{1,3},\d{3}").all():
            raise TableError(
                f"{texts[comma].iloc[0]!r} can be read with a decimal comma or as thousands",
                where=f"{file}, column {column}",
                remedy="Write the numbers with a decimal point and without thousands separators.",
            )
        cells.loc[texts.index, column] = texts.str.replace(",", ".", regex=False)
    return cells

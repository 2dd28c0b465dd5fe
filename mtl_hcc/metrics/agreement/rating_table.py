"""Which table of readings is accepted: ``ratings.csv``, read and checked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.metrics.predictions import EMPTY_CELLS

MEASURE = "measure"


def read_ratings(path: Path) -> pd.DataFrame:
    """Read ``ratings.csv``: ``patient_id``, a column per reader, and perhaps ``measure``.

    Args:
        path: The CSV file. With a column ``measure`` it holds several quantities, one row per
            patient and measure (e.g. radiomics features).

    Returns:
        The cells as text, an empty one as NaN; ``measure`` is added when absent.

    Raises:
        TableError: The file cannot be read, has fewer than two readers, or a patient twice.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise TableError(
            f"cannot be read ({error})",
            where=str(path),
            expected="a CSV table with a header",
            remedy="Name a file with the columns patient_id and one per reader.",
        ) from error
    table = table.apply(lambda cells: cells.str.strip())
    if "patient_id" not in table:
        raise TableError(
            "no column patient_id",
            where=str(path),
            expected="patient_id and one column per reader",
            remedy="Add the column, or rename it.",
        )
    table = table if MEASURE in table else table.assign(measure="")
    if len(readers_of(table)) < 2:
        raise TableError(
            f"{len(readers_of(table))} columns of readings",
            where=str(path),
            expected="patient_id and one column for each of two readers or more",
            remedy="Put each reader into a column of its own.",
        )
    twice = table.duplicated(["patient_id", MEASURE])
    if twice.any():
        place = int(np.flatnonzero(twice)[0])
        raise TableError(
            "a patient twice",
            where=f"{path}, line {place + 2}, patient {table['patient_id'].iloc[place]}",
            expected="one row per patient (and measure)",
            remedy="Delete one of the rows, or add the column measure.",
        )
    empty = table.isin(EMPTY_CELLS)
    empty[MEASURE] = False
    filled: pd.DataFrame = table.mask(empty)
    return filled


def readers_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold readings."""
    return [str(name) for name in table if name not in ("patient_id", MEASURE)]


def numbers_of(table: pd.DataFrame, reader: str, where: str) -> "pd.Series[float]":
    """Return a reader's measurements; a text among them is an error that names its line."""
    numbers = pd.to_numeric(table[reader], errors="coerce").astype(float)
    wrong = np.flatnonzero((numbers.isna() & table[reader].notna()) | np.isinf(numbers))
    if len(wrong):
        place = wrong[0]
        raise TableError(
            f"{table[reader].iloc[place]!r}",
            where=f"{where}, line {place + 2}, patient {table['patient_id'].iloc[place]}, "
            f"column {reader}",
            expected="a number",
            remedy="Mend the cell, or say --scale category if these are classes.",
        )
    return numbers


def categories_of(
    table: pd.DataFrame, readers: list[str], order: Sequence[str] | None, where: str
) -> tuple[list[str], bool]:
    """Return the categories and whether their order has a meaning."""
    cells = pd.Series(table[readers].to_numpy().ravel()).dropna()
    found = sorted(map(str, cells.unique()))
    if order is not None:
        order = [str(plain_category(category)) for category in order]
        strange = [category for category in found if category not in order]
        if strange:
            raise TableError(
                f"the category {strange[0]!r}",
                where=where,
                expected=f"one of {', '.join(order)} (--order)",
                remedy="Mend the cells, or name all categories from low to high.",
            )
        return list(order), True
    numbers = pd.to_numeric(pd.Series(found, dtype=str), errors="coerce")
    if len(found) and numbers.notna().all():
        return [found[place] for place in np.argsort(numbers.to_numpy(), kind="stable")], True
    return found, False


def plain_category(cell: object) -> object:
    """Write a number in one way (3, 3.0 and 03 are one category); other cells stay."""
    try:
        number = float(str(cell))
    except ValueError:
        return cell
    return cell if np.isnan(number) else f"{number:g}"

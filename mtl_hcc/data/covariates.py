"""Clinical covariates as numbers: nothing is fitted here, a missing value stays missing."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.errors import TableError

CovariateKind = Literal["linear", "log"] | list[str]
"""``linear``: as it is. ``log``: log10(x + 1), for markers over several decades such as AFP.
A list: the levels of a category, one column of 0 and 1 for each."""


def encode_covariates(
    table: pd.DataFrame, covariates: Mapping[str, CovariateKind]
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Turn columns of the table into numbers.

    Args:
        table: The cohort's table, indexed by ``patient_id``.
        covariates: Column to how it is read.

    Returns:
        (patient, covariate) float32 with NaN where missing, and the name of each column of it: the
        table's column, or ``column=level`` for a category.

    Example:
        >>> table = pd.DataFrame({"sex": ["female", None], "afp_ng_ml": [99, 0]}, index=["a", "b"])
        >>> encode_covariates(table, {"afp_ng_ml": "log", "sex": ["female", "male"]})[0]
        array([[ 2.,  1.,  0.],
               [ 0., nan, nan]], dtype=float32)
    """
    parts: list[npt.NDArray[np.float32]] = []
    names: list[str] = []
    for column, kind in covariates.items():
        if column not in table:
            raise TableError(
                f"no column {column!r}",
                where="patients.csv",
                expected=f"one of {', '.join(map(str, table.columns))}",
                remedy="Correct data.covariates, or map your column with data.source.",
            )
        if isinstance(kind, list):
            parts.append(_one_hot(table[column], kind))
            names += [f"{column}={level}" for level in kind]
        else:
            values = _numbers(table[column])
            single = _single(values)  # Also before a logarithm: 1e39 is no marker's value.
            parts.append((_single(_log(values)) if kind == "log" else single)[:, None])
            names.append(column)
    empty = np.zeros((len(table), 0), dtype=np.float32)
    return np.concatenate([empty, *parts], axis=1), names


def _numbers(values: pd.Series) -> pd.Series:
    """Return the column as numbers."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        patient = str(wrong.idxmax())
        raise TableError(
            f"{values[patient]!r} is not a number",
            where=f"patients.csv, patient {patient}, column {values.name}",
            remedy="Correct the cell, or list the column's levels in data.covariates.",
        )
    return numbers


def _single(values: pd.Series) -> npt.NDArray[np.float32]:
    """Return the column in the precision that networks compute with, refusing what it cannot hold.

    Squares are taken of it, which must be finite, too.
    """
    limit = float(np.sqrt(np.finfo(np.float32).max))
    outside = values.abs() > limit
    if outside.any():
        patient = str(outside.idxmax())
        raise TableError(
            f"{values[patient]:g} is too large a number for the network",
            where=f"patients.csv, patient {patient}, column {values.name}",
            expected=f"at most {limit:.2g}",
            remedy="Correct the cell, or empty it: a missing value is allowed.",
        )
    return values.to_numpy(np.float32)


def _log(values: pd.Series) -> pd.Series:
    """Return log10(x + 1) of a column without negative values."""
    if (values < 0).any():
        patient = str((values < 0).idxmax())
        raise TableError(
            f"{values[patient]:g} has no logarithm",
            where=f"patients.csv, patient {patient}, column {values.name}",
            expected="a value of 0 or more",
            remedy="Correct the cell, or set the covariate to linear.",
        )
    logarithms: pd.Series = np.log10(values + 1)
    return logarithms


def _one_hot(values: pd.Series, levels: list[str]) -> npt.NDArray[np.float32]:
    """Return a column of 0 and 1 for each level, NaN where the value is missing."""
    text = values.map(_as_text, na_action="ignore")
    unknown = values.notna() & ~text.isin(levels)
    if unknown.any():
        patient = str(unknown.idxmax())
        found = ", ".join(sorted({str(level) for level in text.dropna()}))
        raise TableError(
            f"level {text[patient]!r}",
            where=f"patients.csv, patient {patient}, column {values.name}",
            expected=f"one of {', '.join(levels)} (levels found: {found})",
            remedy=f"Add the level to data.covariates.{values.name}, or correct the cell.",
        )
    equal: npt.NDArray[np.bool_] = text.to_numpy()[:, None] == np.array(levels, dtype=object)
    columns = equal.astype(np.float32)
    columns[values.isna().to_numpy()] = np.nan
    return columns


def _as_text(value: object) -> str:
    """Return the level as written in a config: 1.0, as pandas reads 1 beside gaps, is ``1``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

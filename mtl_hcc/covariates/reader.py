"""The one reader of covariates: columns of a table become numbers, for networks and baselines.

Nothing is fitted here: a missing cell stays missing, and what fills it is learned on the training
patients by whoever computes with the numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.errors import TableError

Scale = Literal["linear", "log"]
"""``linear``: as it is. ``log``: log10(x + 1), for markers over several decades such as AFP."""
CovariateKind = Scale | list[str]
"""The scale of a number, or the levels of a category: one column of 0 and 1 for each."""


def read_covariates(
    table: pd.DataFrame,
    covariates: Mapping[str, CovariateKind],
    *,
    setting: str = "data.covariates",
    where: str = "patients.csv",
) -> pd.DataFrame:
    """Turn columns of a table into numbers.

    Args:
        table: The cohort's table, indexed by ``patient_id``.
        covariates: Column to how it is read.
        setting: Name of the setting that lists the covariates, for messages.
        where: File that the table comes from, for messages.

    Returns:
        (patient, covariate) float64 with NaN where missing; its columns are called after the
        table's, or ``column=level`` for a category.

    Raises:
        TableError: A column is not there, a text is no number, a number has no logarithm, or a
            level is not listed; with column, patient and what was expected.

    Example:
        >>> table = pd.DataFrame({"sex": ["female", None], "afp_ng_ml": [99, 0]}, index=["a", "b"])
        >>> read_covariates(table, {"afp_ng_ml": "log", "sex": ["female", "male"]})
           afp_ng_ml  sex=female  sex=male
        a        2.0         1.0       0.0
        b        0.0         NaN       NaN
    """
    parts: dict[str, npt.NDArray[np.float64]] = {}
    for column, kind in covariates.items():
        if column not in table:
            raise TableError(
                f"no column {column!r}",
                where=where,
                expected=f"one of {', '.join(map(str, table.columns))}",
                remedy=f"Correct {setting}, or map your column with data.source.",
            )
        cells = _Cells(table[column], where, setting)
        if isinstance(kind, str):
            parts[column] = cells.numbers() if kind == "linear" else cells.logarithms()
        else:
            parts |= {f"{column}={level}": flags for level, flags in cells.levels(kind).items()}
    return pd.DataFrame(parts, index=table.index)


def level_text(level: object) -> str:
    """Return the level as written in a config: 1.0, as pandas reads 1 beside gaps, is ``1``."""
    whole = isinstance(level, float) and level.is_integer()
    return str(int(level)) if whole else str(level).strip()  # type: ignore[call-overload]


class _Cells:
    """One column, and how to say what is wrong with a cell of it."""

    def __init__(self, values: "pd.Series[float]", where: str, setting: str) -> None:
        self.values, self.where, self.setting = values, where, setting

    def numbers(self) -> npt.NDArray[np.float64]:
        """Return (patient,) numbers that single precision can hold, squared, too."""
        numbers = pd.to_numeric(self.values, errors="coerce").astype(float)
        self._refuse(
            numbers.isna() & self.values.notna(),
            lambda cell: f"{cell!r} is not a number",
            remedy=f"Correct the cell, or list the column's levels in {self.setting}.",
        )
        limit = float(np.sqrt(np.finfo(np.float32).max))
        self._refuse(
            numbers.abs() > limit,
            lambda cell: f"{float(cell):g} is too large a number to compute with",
            expected=f"at most {limit:.2g}",
            remedy="Correct the cell, or empty it: a missing value is allowed.",
        )
        return np.asarray(numbers, dtype=np.float64)

    def logarithms(self) -> npt.NDArray[np.float64]:
        """Return (patient,) log10(x + 1)."""
        numbers = self.numbers()
        self._refuse(
            pd.Series(numbers < 0, index=self.values.index),
            lambda cell: f"{float(cell):g} has no logarithm",
            expected="a value of 0 or more",
            remedy="Correct the cell, or set the covariate to linear.",
        )
        return np.asarray(np.log10(numbers + 1), dtype=np.float64)

    def levels(self, listed: list[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Return (patient,) 0 and 1 for each level, NaN where the cell is missing."""
        listed = [level_text(level) for level in listed]
        text = self.values.map(level_text, na_action="ignore")
        found = ", ".join(sorted(set(map(str, text.dropna()))))
        self._refuse(
            self.values.notna() & ~text.isin(listed),
            lambda cell: f"level {level_text(cell)!r}",
            expected=f"one of {', '.join(listed)} (levels found: {found})",
            remedy=f"Add the level to {self.setting}.{self.values.name}, or correct the cell.",
        )
        missing = self.values.isna().to_numpy()
        flags = {level: (text == level).to_numpy(np.float64) for level in listed}
        return {level: np.where(missing, np.nan, flag) for level, flag in flags.items()}

    def _refuse(
        self,
        wrong: "pd.Series[bool]",
        found: Callable[[Any], str],
        *,
        expected: str = "",
        remedy: str,
    ) -> None:
        """Raise for the first cell that is wrong, naming its patient."""
        if not wrong.any():
            return
        place = int(np.argmax(wrong.to_numpy()))
        raise TableError(
            found(self.values.iloc[place]),
            where=f"{self.where}, patient {self.values.index[place]}, column {self.values.name}",
            expected=expected,
            remedy=remedy,
        )

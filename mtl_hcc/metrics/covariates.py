"""How clinical covariates become numbers for a baseline: everything is learned on train."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

CovariateScale = Literal["linear", "log"] | Sequence[str]
"""A number as it is, its logarithm log(1 + x), or the levels of a category (first = reference)."""


class Covariates:
    """Imputation, scaling, one-hot levels and missingness flags.

    Numbers: median of train for missing cells, then zero mean and unit standard deviation. A flag
    ``<column> missing`` is added where train has missing cells. Categories: one column per level
    but the first; a missing or unlisted level is flagged likewise. Columns constant in train are
    dropped, and flags that repeat another column.

    Args:
        scales: Column to its scale.
    """

    def __init__(self, scales: Mapping[str, CovariateScale]) -> None:
        self.scales = dict(scales)
        self.medians: dict[str, float] = {}
        self.center: pd.Series[float] = pd.Series(dtype=float)
        self.spread: pd.Series[float] = pd.Series(dtype=float)

    def fit(self, train: pd.DataFrame) -> "Covariates":
        """Learn medians, means and standard deviations from the train patients."""
        for column, scale in self.scales.items():
            if isinstance(scale, str):
                median = _numbers(train[column], scale).median()
                self.medians[column] = 0.0 if np.isnan(median) else float(median)
        features = self._features(train)
        features = features.loc[:, features.nunique() > 1].T.drop_duplicates().T
        self.center, self.spread = features.mean(), features.std(ddof=0)
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the features (patient, feature) of any patients, on the scale of train."""
        return (self._features(table)[self.center.index] - self.center) / self.spread

    def _features(self, table: pd.DataFrame) -> pd.DataFrame:
        features: dict[str, pd.Series[float]] = {}
        for column, scale in self.scales.items():
            if isinstance(scale, str):
                numbers = _numbers(table[column], scale)
                features[column] = numbers.fillna(self.medians[column])
                features[f"{column} missing"] = numbers.isna().astype(float)
            else:
                levels = [str(level) for level in scale]
                text = table[column].map(level_text, na_action="ignore")
                for level in levels[1:]:
                    features[f"{column} {level}"] = (text == level).astype(float)
                features[f"{column} missing"] = (~text.isin(levels)).astype(float)
        return pd.DataFrame(features, index=table.index)


def level_text(level: object) -> str:
    """Return the level as written in a config: 1.0, as pandas reads 1 beside gaps, is ``1``."""
    whole = isinstance(level, float) and level.is_integer()
    return str(int(level)) if whole else str(level).strip()  # type: ignore[call-overload]


def _numbers(cells: "pd.Series[float]", scale: str) -> "pd.Series[float]":
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    return numbers if scale == "linear" else pd.Series(np.log1p(numbers.clip(lower=0)))

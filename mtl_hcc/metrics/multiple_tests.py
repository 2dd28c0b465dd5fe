"""What a p-value is worth when several pairs of models are compared: Holm's correction."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.statistic import FloatArray


def holm(p: npt.ArrayLike) -> FloatArray:
    r"""Return the p-values of a family after Holm's step-down correction (as R's ``p.adjust``).

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) p_{(j)})

    (Holm, Scandinavian Journal of Statistics 1979;6:65-70). It holds the chance of any false claim
    in the family, however the tests depend on each other.

    Args:
        p: (test,) NaN = no test; it stays NaN and does not count in m.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1) * values[order]
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def holm_by(tests: pd.DataFrame, family: Sequence[str]) -> "pd.Series[float]":
    """Return the corrected column ``p`` of a table; rows of equal ``family`` are one family."""
    adjusted = pd.Series(np.nan, index=tests.index, dtype=float)
    for _, rows in tests.groupby(list(family), dropna=False, sort=False):
        adjusted[rows.index] = holm(rows["p"])
    return adjusted

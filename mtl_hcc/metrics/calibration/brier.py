"""How far predicted probabilities are from what was found: the Brier score of classes."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import Counts, FloatArray, Statistic


def brier_statistics(
    label: npt.ArrayLike, probabilities: npt.ArrayLike, *, halved: bool
) -> dict[str, Statistic]:
    r"""Return the Brier score [1]_ and its scaled form [2]_ as functions of counts.

    .. math:: B = \frac1n \sum_i \sum_k (p_{ik} - [y_i = k])^2, \quad
              B_{scaled} = 1 - B / B_{max}

    with :math:`B_{max}` that of predicting the sample's class frequencies for everybody. Scaled, 1
    is perfect, 0 as good as the frequencies.

    Args:
        label: (patient,) 0..K-1.
        probabilities: (patient, K).
        halved: With two classes both terms are equal, and the usual score has one of them.

    Returns:
        ``brier``, ``brier_scaled`` (NaN where there is one class).

    References:
        .. [1] Brier, Monthly Weather Review 1950;78:1-3.
        .. [2] Steyerberg et al., Epidemiology 2010;21:128-138.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    found = np.eye(scores.shape[1])[np.asarray(label, dtype=int)]
    each = ((scores - found) ** 2).sum(axis=1) / (2 if halved else 1)

    def brier(counts: Counts) -> FloatArray:
        weights = counts.astype(np.float64)
        score: FloatArray = weights @ each / weights.sum(axis=1)
        return score

    def scaled(counts: Counts) -> FloatArray:
        weights = counts.astype(np.float64)
        shares = weights @ found / weights.sum(axis=1, keepdims=True)
        largest = (1 - (shares**2).sum(axis=1)) / (2 if halved else 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            score: FloatArray = np.where(largest > 1e-12, 1 - brier(counts) / largest, np.nan)
        return score

    return {"brier": brier, "brier_scaled": scaled}

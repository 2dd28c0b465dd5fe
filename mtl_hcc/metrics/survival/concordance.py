"""How well risks order the patients by time: Harrell's C-index, fast enough to be resampled."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import (
    BoolArray,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    point_value,
)

PAIRS_AT_ONCE = 4_000_000
"""Bounds the memory: pairs of patients held in one block."""


def concordance_harrell(
    risk: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    tied_tolerance: float = 1e-8,
) -> float:
    r"""Return Harrell's C-index [1]_, with the conventions of scikit-survival.

    A pair (i, j) is comparable when i has an event and :math:`t_i < t_j`, or :math:`t_i = t_j` and
    j is censored. It is concordant when i has the higher risk, half when the risks tie:

    .. math:: C = \frac{\sum_{(i,j)} [r_i > r_j] + \tfrac12 [r_i = r_j]}{\sum_{(i,j)} 1}

    Args:
        risk: (patient,) Higher = earlier event.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        strata: (patient,) Only pairs within a stratum count, e.g. the fold: risks of two models
            are on two scales.
        tied_tolerance: Risks this close are tied.

    Raises:
        NotComputableError: No pair is comparable.

    References:
        .. [1] Harrell et al., Statistics in Medicine 1996;15:361-387.

    Example:
        >>> concordance_harrell([3.0, 1.0, 2.0], [10, 40, 30], [1, 0, 1])
        1.0
    """
    statistic = concordance_statistic(
        risk, time, event, strata=strata, tied_tolerance=tied_tolerance
    )
    value = point_value(statistic, len(np.asarray(risk)))
    if np.isnan(value):
        raise NotComputableError(why_not_concordance(event))
    return value


def why_not_concordance(event: npt.ArrayLike) -> str:
    """Return why there is no C-index: nobody labeled, no event, or no comparable pair."""
    events = np.asarray(event, dtype=bool)
    if len(events) == 0:
        return "no patient with a known outcome"
    return "no comparable pair of patients" if events.any() else "no event"


def concordance_statistic(
    risk: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    tied_tolerance: float = 1e-8,
) -> Statistic:
    r"""Return Harrell's C-index as a function of the counts w of the patients.

    With P the matrix of comparable pairs and A that of concordant ones (ties 1/2),
    :math:`C(w) = w^T A w / w^T P w`: two matrix products give all resamples at once. A patient
    drawn twice makes no pair with itself, since its two times tie and both are events.

    Args: see :func:`concordance_harrell`.
    """
    risks = np.asarray(risk, dtype=np.float64)
    times = np.asarray(time, dtype=np.float64)
    events = np.asarray(event, dtype=bool)
    groups = np.zeros(len(risks)) if strata is None else np.asarray(strata)

    def concordance(counts: Counts) -> FloatArray:
        concordant, comparable = np.zeros(len(counts)), np.zeros(len(counts))
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            sums = _pair_sums(
                counts[:, rows], risks[rows], times[rows], events[rows], tied_tolerance
            )
            concordant += sums[0]
            comparable += sums[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            return concordant / comparable

    return concordance


def _pair_sums(
    counts: Counts, risk: FloatArray, time: FloatArray, event: BoolArray, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of concordant and of comparable pairs, each (resample,)."""
    concordant, comparable = np.zeros(len(counts)), np.zeros(len(counts))
    earlier = np.flatnonzero(event)
    block = max(1, PAIRS_AT_ONCE // max(1, len(risk)))
    for start in range(0, len(earlier), block):
        i = earlier[start : start + block]
        same_time = time[i, None] == time
        pairs = (time[i, None] < time) | (same_time & ~event)  # (earlier, patient)
        difference = risk[i, None] - risk
        score = np.where(np.abs(difference) <= tolerance, 0.5, difference > 0) * pairs
        weights = counts[:, i]
        # float32 holds these products exactly (multiples of 1/2 far below 2^23).
        for total, matrix in ((concordant, score), (comparable, pairs)):
            per_patient = weights @ matrix.astype(np.float32)  # (resample, patient)
            total += (per_patient * counts).sum(axis=1, dtype=np.float64)
    return concordant, comparable

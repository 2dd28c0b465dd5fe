r"""How well risks order the patients by time: Harrell's and Uno's C-index, quick to resample.

A thousand resamples of 388 patients take milliseconds, of 100,000 patients about ten seconds per
index on one core: the pairs are sorted once, each resample costs :math:`O(n \log n)`, and only few
resamples are worked on at a time. Nothing is sampled but the resamples themselves, and their counts
take 4 bytes per patient and resample (0.4 GB).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
    point_value,
)
from mtl_hcc.metrics.pair_counts import LaterAndLowerCount, LaterCount, Rows, later_and_lower_count
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.survival.horizons import last_follow_up
from mtl_hcc.metrics.task_metric import TaskRows

LEAST_FOLLOWED = 0.1
"""Probability of being still followed, down to which pairs count."""


def concordance_harrell(
    risk: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> float:
    r"""Return Harrell's C-index [1]_, with the conventions of scikit-survival but for near ties.

    A pair (i, j) is comparable when i has an event and :math:`t_i < t_j`, or :math:`t_i = t_j` and
    j is censored. It is concordant when i has the higher risk, half when the risks are equal:

    .. math:: C = \frac{\sum_{(i,j)} [r_i > r_j] + \tfrac12 [r_i = r_j]}{\sum_{(i,j)} 1}

    Only equal risks tie. The libraries' tolerance of 1e-8 would make the C-index depend on the unit
    of the risk, and 0.5 of risks in small units.

    Args:
        risk: (patient,) Higher = earlier event.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        strata: (patient,) Only pairs within a stratum count, e.g. the fold: risks of two models
            are on two scales.

    Raises:
        NotComputableError: No pair is comparable.

    References:
        .. [1] Harrell et al., Statistics in Medicine 1996;15:361-387.

    Example:
        >>> concordance_harrell([3.0, 1.0, 2.0], [10, 40, 30], [1, 0, 1])
        1.0
    """
    statistic = concordance_statistic(risk, time, event, strata=strata)
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
) -> Statistic:
    r"""Return Harrell's C-index as a function of the counts w of the patients.

    .. math:: C(w) = \frac{\sum_i \delta_i w_i L_i(w)}{\sum_i \delta_i w_i N_i(w)}

    where N is the count of the patients that i can be compared with and L that of those with a
    lower risk. A patient drawn twice makes no pair with itself, since its two times tie and both
    are events.

    Args: see :func:`concordance_harrell`.
    """
    pairs = ordered_pairs(risk, time, event, strata=strata)

    def concordance(counts: Counts) -> FloatArray:
        return concordance_of_pairs(pairs, counts)

    return in_blocks(concordance, len(np.asarray(risk)))


@dataclass(frozen=True)
class OrderedPairs:
    """The comparable pairs of one stratum, ready to be counted.

    Attributes:
        rows: Rows of the stratum.
        events: Those with an event: the earlier ones of the pairs.
        later: Counts of the patients that each event is compared with.
        lower: Counts of those among them whose risk is lower.
    """

    rows: Rows
    events: Rows
    later: LaterCount
    lower: LaterAndLowerCount


def ordered_pairs(
    risk: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> list[OrderedPairs]:
    """Sort the patients of each stratum once, so that pairs can be counted for many resamples.

    Args: see :func:`concordance_harrell`.
    """
    risks = np.asarray(risk, dtype=np.float64)
    times = np.asarray(time, dtype=np.float64)
    events = np.asarray(event, dtype=bool)
    groups = np.zeros(len(risks)) if strata is None else np.asarray(strata)
    pairs = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        labels = times[rows], events[rows]
        lower = later_and_lower_count(risks[rows], *labels)
        pairs.append(OrderedPairs(rows, rows[events[rows]], LaterCount(*labels), lower))
    return pairs


def concordance_of_pairs(
    pairs: list[OrderedPairs], counts: Counts, weights: FloatArray | None = None
) -> FloatArray:
    """Return the share of concordant pairs, NaN without pairs.

    Args:
        pairs: Of each stratum.
        counts: (resample, row).
        weights: (resample, row) Of the pairs whose earlier patient this is; default 1.
    """
    concordant, comparable = np.zeros(len(counts)), np.zeros(len(counts))
    for stratum in pairs:
        inside = counts.take(stratum.rows, axis=1)
        earlier = counts.take(stratum.events, axis=1).astype(np.float64)
        if weights is not None:
            earlier *= weights.take(stratum.events, axis=1)
        concordant += np.einsum("re,re->r", earlier, stratum.lower(inside))
        comparable += np.einsum("re,re->r", earlier, stratum.later(inside))
    with np.errstate(invalid="ignore", divide="ignore"):
        share: FloatArray = concordant / comparable
    return share


def truncation_time(sample: TaskRows, censoring: CensoringWeights) -> float:
    """Return the last day of Uno's C-index: the follow-up as far as a tenth is still followed.

    LaterCount, single pairs weigh more than all others together: on 371 patients of TCGA-LIHC the
    interval of the same model is 0.12 to 0.94 without this limit and 0.56 to 0.71 with it.

    Args:
        sample: Rows of one survival task.
        censoring: The censoring curve of its rows.
    """
    everybody = np.ones((1, len(sample.rows)), dtype=np.float32)
    few = censoring.curve.times[censoring.curve(everybody)[0, 1:] < LEAST_FOLLOWED]
    # Just before the first of these days, more are followed.
    return float(min([last_follow_up(sample), *few[:1]]))


def uno_statistic(sample: TaskRows, censoring: CensoringWeights, tau: float) -> Statistic:
    r"""Return Uno's C-index [1]_ as a function of the counts.

    Harrell's with every pair weighted by the inverse probability that it can be seen, up to a
    time :math:`\tau`:

    .. math:: C_\tau = \frac{\sum_i \delta_i [t_i \le \tau] w_i G(t_i^-)^{-2} L_i}
                            {\sum_i \delta_i [t_i \le \tau] w_i G(t_i^-)^{-2} N_i}

    (symbols as in :func:`~mtl_hcc.metrics.survival.concordance.concordance_statistic`). Equal to
    R's ``concordance(timewt = "n/G2")``; scikit-survival takes G(t) in place of G(t-), which
    differs only where an event ties with a censoring. Pairs within a fold.

    Args:
        sample: Rows of one survival task.
        censoring: The censoring curve of its rows.
        tau: Last day that counts, see :func:`truncation_time`.

    References:
        .. [1] Uno et al., Statistics in Medicine 2011;30:1105-1117.
    """
    rows = sample.rows
    pairs = ordered_pairs(rows["risk"], rows["time_days"], rows["event"], strata=rows["fold"])
    inside = rows["time_days"].to_numpy() <= tau

    def concordance(counts: Counts) -> FloatArray:
        values = np.empty(len(counts))
        for part, heights in censoring.blocks(counts):
            block = counts[part]
            weights = censoring.event_weights(heights) ** 2 * inside
            values[part] = concordance_of_pairs(pairs, block, weights)
        return values

    return concordance

"""D-calibration: are the predicted survival probabilities at the own event time uniform?"""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Counts, FloatArray, Statistic

BINS = 10


def d_calibration_statistic(
    survival: npt.ArrayLike, event: npt.ArrayLike, *, bins: int = BINS
) -> Statistic:
    r"""Return the p-value of Haider's test as a function of counts [1]_.

    For the true model, S(T) is uniform. An event at predicted survival s counts 1 in the bin of s;
    a censored patient, who would have had the event at some survival below s, is spread:
    :math:`(s - l)/s` in the own bin [l, u) and :math:`(u' - l')/s` in each bin below. Chi-square of
    the sums against n / B, with B - 1 degrees of freedom.

    Args:
        survival: (patient,) Predicted probability of being event-free at the own last time.
        event: (patient,) 1 = occurred, 0 = censored.
        bins: B, of equal width.

    References:
        .. [1] Haider et al., Journal of Machine Learning Research 2020;21(85):1-63, section 3.5.
    """
    s, events = np.asarray(survival, dtype=np.float64), np.asarray(event, dtype=bool)
    edges = np.linspace(0, 1, bins + 1)
    own = np.clip((s * bins).astype(int), 0, bins - 1)
    inside = np.clip(s[:, None] - edges[:-1], 0, 1 / bins)  # width of each bin below s
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = inside / s[:, None]
    spread[s <= 0] = np.eye(bins)[0]
    shares = np.where(events[:, None], np.eye(bins)[own], spread)  # (patient, bin)

    def p_value(counts: Counts) -> FloatArray:
        from scipy.special import chdtrc

        weights = counts.astype(np.float64)
        expected = weights.sum(axis=1, keepdims=True) / bins
        chi_square = ((weights @ shares - expected) ** 2 / expected).sum(axis=1)
        p: FloatArray = chdtrc(bins - 1, chi_square)
        return p

    return p_value


def survival_at_own_time(
    survival: FloatArray, horizons_days: FloatArray, time: npt.ArrayLike, event: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    r"""Return the predicted survival at each patient's last time, and the event known by then.

    Between the horizons the cumulative hazard :math:`-\log S` is interpolated linearly (a constant
    hazard), from 0 at day 0. Beyond the last horizon nothing is predicted: follow-up ends there.

    Args:
        survival: (patient, horizon) Predicted.
        horizons_days: (horizon,) Ascending.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.

    Returns:
        (patient,) survival and (patient,) event.
    """
    times = np.asarray(time, dtype=np.float64)
    last = float(horizons_days[-1])
    known = np.where(times <= last, np.asarray(event, dtype=np.float64), 0.0)
    grid = np.concatenate([[0.0], horizons_days])
    hazard = -np.log(np.clip(survival, 1e-12, 1))
    hazard = np.concatenate([np.zeros((len(times), 1)), hazard], axis=1)
    at = np.minimum(times, last)
    right = np.clip(np.searchsorted(grid, at), 1, len(grid) - 1)
    share = (at - grid[right - 1]) / (grid[right] - grid[right - 1])
    row = np.arange(len(times))
    own = hazard[row, right - 1] * (1 - share) + hazard[row, right] * share
    return np.exp(-own), known

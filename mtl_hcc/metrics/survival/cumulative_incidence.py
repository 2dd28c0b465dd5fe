"""How many have one event before any other? Aalen-Johansen's cumulative incidence."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import LEVEL
from mtl_hcc.metrics.statistic import FloatArray
from mtl_hcc.metrics.survival.survival_curve import number_at_risk

NEXT_TO_ONE = 1e-9
"""Sums of fractions that should be one may miss it by less."""


@dataclass(frozen=True)
class CumulativeIncidence:
    """Cumulative incidence of one cause with pointwise 95% intervals.

    Attributes:
        time: (time,) Distinct times from 0 to the last follow-up, days.
        incidence: (time,) Probability of the event by that time.
        std_error: (time,) Of the incidence.
        ci_low: (time,) On the log-log scale, within 0 and 1; the incidence itself while it is 0.
        ci_high: (time,) Likewise.
    """

    time: FloatArray
    incidence: FloatArray
    std_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray

    def at(self, days: float) -> tuple[float, float, float]:
        """Return incidence and its interval at a time; NaN after the last follow-up."""
        if days > self.time[-1]:
            return float("nan"), float("nan"), float("nan")
        place = int(np.searchsorted(self.time, days, side="right")) - 1
        ends = (self.incidence[place], self.ci_low[place], self.ci_high[place])
        return float(ends[0]), float(ends[1]), float(ends[2])


def cumulative_incidence(
    time: npt.ArrayLike, cause: npt.ArrayLike, of: int = 1
) -> CumulativeIncidence:
    r"""Return Aalen-Johansen's estimate [1]_ of the incidence of one cause.

    .. math:: F(t) = \sum_{t_k \le t} S(t_{k-1})\, d_k / n_k

    with d events of the cause and S Kaplan-Meier's curve of the events of any cause. One minus
    Kaplan-Meier of the cause alone would be too high: it lets the dead recur later. The variance is
    that of the delta method (Greenwood's type, [2]_, eq. 10.12):

    .. math:: \sum_{t_k \le t} [F(t) - F(t_k)]^2 \frac{m_k}{n_k (n_k - m_k)}
        + S(t_{k-1})^2 \frac{d_k (n_k - d_k)}{n_k^3}
        - 2 [F(t) - F(t_k)] S(t_{k-1}) \frac{d_k}{n_k^2}

    with m events of any cause.

    Args:
        time: (patient,) Days.
        cause: (patient,) 0 = censored, 1, 2, ... = cause of the event that came first.
        of: The cause.

    References:
        .. [1] Aalen and Johansen, Scandinavian Journal of Statistics 1978;5:141-150.
        .. [2] Marubini and Valsecchi, Analysing Survival Data from Clinical Trials, 1995.

    Example:
        >>> cumulative_incidence([10, 20, 30, 40], [1, 2, 0, 1]).incidence.tolist()
        [0.0, 0.25, 0.25, 0.25, 0.75]
    """
    days, causes = np.asarray(time, dtype=np.float64), np.asarray(cause)
    grid = np.unique(np.append(days, 0.0))
    place = np.searchsorted(grid, days)
    at_risk = number_at_risk(days, grid).astype(np.float64)
    any_cause = np.bincount(place, weights=causes > 0, minlength=len(grid))
    events = np.bincount(place, weights=causes == of, minlength=len(grid))
    survival = np.cumprod(1 - any_cause / at_risk)
    before = np.append(1.0, survival[:-1])
    incidence = np.cumsum(before * events / at_risk)
    # [F(t) - F(t_k)]^2 multiplied out, so that each sum runs over the times once.
    left = np.where(any_cause < at_risk, at_risk - any_cause, np.inf)  # else F changes no more
    risk = any_cause / (at_risk * left)
    own = before**2 * events * (at_risk - events) / at_risk**3
    both = before * events / at_risk**2
    squares = np.cumsum(incidence**2 * risk) - 2 * incidence * np.cumsum(incidence * risk)
    squares += incidence**2 * np.cumsum(risk)
    crossed = incidence * np.cumsum(both) - np.cumsum(incidence * both)
    error = np.sqrt(np.maximum(squares + np.cumsum(own) - 2 * crossed, 0.0))
    low, high = _interval(incidence, error)
    return CumulativeIncidence(grid, incidence, error, low, high)


def _interval(incidence: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    from scipy.stats import norm

    inside = (incidence > 0) & (incidence < 1 - NEXT_TO_ONE)
    estimate = np.where(inside, incidence, 0.5)
    spread = norm.ppf((1 + LEVEL) / 2) * error / (estimate * np.log(estimate))  # negative
    spread = np.where(inside, spread, 0.0)
    ends = estimate ** np.exp(-spread), estimate ** np.exp(spread)
    low, high = (np.where(inside, end, incidence) for end in ends)
    return low, high

"""How many have one event before any other, and do groups differ? Aalen-Johansen and Gray."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Z_95, FloatArray, NotComputableError
from mtl_hcc.metrics.survival.product_limit import kaplan_meier, number_at_risk

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
    before = np.append(1.0, kaplan_meier(days, causes > 0).survival[:-1])
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
    inside = (incidence > 0) & (incidence < 1 - NEXT_TO_ONE)
    estimate = np.where(inside, incidence, 0.5)
    spread = Z_95 * error / (estimate * np.log(estimate))  # negative
    spread = np.where(inside, spread, 0.0)
    ends = estimate ** np.exp(-spread), estimate ** np.exp(spread)
    low, high = (np.where(inside, end, incidence) for end in ends)
    return low, high


def gray_test(
    time: npt.ArrayLike, cause: npt.ArrayLike, group: npt.ArrayLike, of: int = 1
) -> tuple[float, int, float]:
    """Return the statistic, degrees of freedom and p of Gray's test [1]_ (rho = 0).

    As the log-rank test compares hazards, this one compares the hazards of the subdistribution,
    that is, the cumulative incidence curves themselves; as ``cuminc`` of R's cmprsk.

    Args:
        time: (patient,) Days.
        cause: (patient,) 0 = censored, 1, 2, ... = cause of the event that came first.
        group: (patient,) Any labels; at least two.
        of: The cause to compare.

    Raises:
        NotComputableError: One group, no event of the cause, or groups never at risk together.

    References:
        .. [1] Gray, Annals of Statistics 1988;16:1141-1154.
    """
    days, causes = np.asarray(time, dtype=np.float64), np.asarray(cause)
    names, of_patient = np.unique(np.asarray(group), return_inverse=True)
    if len(names) < 2:
        raise NotComputableError("a risk group is empty: all patients are in one")
    if not (causes == of).any():
        raise NotComputableError("no event of this cause")
    grid = np.unique(days[causes > 0])
    at_risk, own, other = (np.zeros((len(grid), len(names))) for _ in range(3))
    for k in range(len(names)):
        inside = of_patient == k
        at_risk[:, k] = number_at_risk(days[inside], grid)
        for events, wanted in ((own, causes == of), (other, (causes > 0) & (causes != of))):
            place = np.searchsorted(grid, days[inside & wanted])
            events[:, k] = np.bincount(place, minlength=len(grid))
    sums = _Sums(len(names))
    for row in zip(at_risk, own, other, strict=True):
        sums.add(*row)
    score, variance = sums.score[:-1], sums.variance()[:-1, :-1]
    try:
        chi_square = float(score @ np.linalg.solve(variance, score))
    except np.linalg.LinAlgError as error:
        raise NotComputableError("the groups are never at risk together") from error
    from scipy.stats import chi2

    return chi_square, len(score), float(chi2.sf(chi_square, len(score)))


class _Sums:
    """Score and variance, added up over the event times; names follow Gray's section 3.

    Args:
        groups: Number of groups.
    """

    def __init__(self, groups: int) -> None:
        self.survival = np.ones(groups)  # of each group just before the time, any cause
        self.incidence = np.zeros(groups)  # of each group just before
        self.pooled = 0.0  # cumulative incidence just before, if the groups are alike
        self.score = np.zeros(groups)
        self.weight = np.zeros((groups, groups))  # integral of the weights a over the hazard
        self.direct = np.zeros((groups, groups))
        self.crossed = np.zeros((groups, groups))
        self.spread = np.zeros(groups)

    def add(self, at_risk: FloatArray, own: FloatArray, other: FloatArray) -> None:
        """Add one time.

        Args:
            at_risk: (group,) Patients at risk.
            own: (group,) Events of the cause.
            other: (group,) Events of other causes.
        """
        here = at_risk > 0
        risk = np.where(here, at_risk, 1.0)
        share = np.where(here, at_risk / np.where(here, self.survival, 1.0), 0.0)
        total, deaths = share.sum(), own.sum()
        after = np.where(here, self.survival * (1 - (own + other) / risk), self.survival)
        pooled = self.pooled + deaths / total
        a = np.diag(share) - np.outer(share, share) / total
        self.weight += a * deaths / (total * (1 - self.pooled))
        free = share * (1 - self.incidence)
        self.score += own - deaths * free / free.sum()
        ratio = np.where(after > 0, (1 - pooled) / np.where(after > 0, after, 1.0), 0.0)
        if deaths > 0:
            tied = 1 - (deaths - 1) / (total * self.survival - 1) if deaths > 1 else 1.0
            amount = np.where(here, tied * self.survival * deaths / (total * risk), 0.0)
            self._spread(a - (1 - ratio) * self.weight, 1 - ratio, amount)
        if other.any():
            tied = 1 - np.maximum(other - 1, 0) / np.maximum(at_risk - 1, 1)
            amount = np.where(after > 0, tied * self.survival**2 * other / risk**2, 0.0)
            self._spread(ratio * self.weight, -ratio, amount)
        self.incidence = np.where(here, self.incidence + self.survival * own / risk, self.incidence)
        self.survival, self.pooled = after, pooled

    def _spread(self, influence: FloatArray, change: FloatArray, amount: FloatArray) -> None:
        """Add the variance of one time: influence (group, source), change and amount (source,)."""
        self.direct += (influence * amount) @ influence.T
        self.crossed += influence * change * amount
        self.spread += change**2 * amount

    def variance(self) -> FloatArray:
        """Return the variance of the score: (group, group)."""
        both = self.weight @ self.crossed.T
        summed = self.direct + (self.weight * self.spread) @ self.weight.T + both + both.T
        return np.asarray(summed, dtype=np.float64)

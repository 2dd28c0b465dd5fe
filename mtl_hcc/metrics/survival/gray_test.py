"""Do groups differ in the cumulative incidence of one cause? Gray's test."""

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray, NotComputableError
from mtl_hcc.metrics.survival.survival_curve import number_at_risk


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

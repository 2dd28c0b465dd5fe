"""What is the value over centers that differ? Random-effects pooling, as in a meta-analysis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import Z_95, FloatArray, NotComputableError

PoolingMethod = Literal["REML", "DL"]
FEWEST_CENTERS = 3
"""With two, how much centers differ rests on one difference: its 95% interval covers all values."""


@dataclass(frozen=True)
class Pooled:
    """A value pooled over centers, on the scale of the estimates.

    Attributes:
        value: The mean over centers.
        ci_low, ci_high: Its 95% interval.
        prediction_low, prediction_high: 95% prediction interval: where the value of another center
            like these is expected.
        tau2: Variance of the true values between centers.
        i2: Share of the variance that lies between centers (0 to 100%).
        q: Cochran's Q.
        q_p: p of "all centers have the same true value".
        weights: (center,) Share of each center in the mean (they add up to 1).
    """

    value: float
    ci_low: float
    ci_high: float
    prediction_low: float
    prediction_high: float
    tau2: float
    i2: float
    q: float
    q_p: float
    weights: FloatArray


def pool_random_effects(
    estimates: npt.ArrayLike,
    errors: npt.ArrayLike,
    *,
    method: PoolingMethod = "REML",
    modified: bool = False,
) -> Pooled:
    r"""Pool estimates of several centers with Hartung and Knapp's interval.

    Centers weigh :math:`w_k = 1 / (s_k^2 + \tau^2)`. The variance of the mean is
    :math:`\sum_k w_k (y_k - \hat\mu)^2 / ((K - 1) \sum_k w_k)`, and Student's t with K - 1 degrees
    of freedom gives the interval [1]_; the prediction interval adds :math:`\tau^2`. I2 is
    :math:`\tau^2 / (\tau^2 + s^2)` with Higgins and Thompson's typical variance s2. As ``rma(...,
    test = "knha")`` of R's metafor, or ``test = "adhoc"`` when modified [2]_.

    Args:
        estimates: (center,) On a scale without bounds, e.g. the logit of a C-index.
        errors: (center,) Standard errors on that scale.
        method: Of tau2: restricted maximum likelihood, or DerSimonian and Laird's moments.
        modified: Never take a smaller variance than :math:`1 / \sum_k w_k`: else centers that
            agree by chance have a mean that looks far too sure.

    Raises:
        NotComputableError: Fewer than three centers, or an error that is not above zero.

    References:
        .. [1] Hartung and Knapp, Statistics in Medicine 2001;20:3875-3889.
        .. [2] Rover, Knapp, Friede, BMC Medical Research Methodology 2015;15:99.
    """
    y, s = np.asarray(estimates, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if len(y) < FEWEST_CENTERS:
        raise NotComputableError("fewer than three centers")
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all()):
        raise NotComputableError("a center has no standard error above zero")
    from scipy.stats import chi2, t

    fixed = 1 / s**2
    q = float(fixed @ (y - fixed @ y / fixed.sum()) ** 2)
    tau2 = _moments(q, fixed) if method == "DL" else _reml(y, s**2, _moments(q, fixed))
    weights = 1 / (s**2 + tau2)
    mean = float(weights @ y / weights.sum())
    free = len(y) - 1
    scale = float(weights @ (y - mean) ** 2 / free)
    variance = float((max(1.0, scale) if modified else scale) / weights.sum())
    quantile = float(t.ppf(0.975, free))
    half, reach = quantile * math.sqrt(variance), quantile * math.sqrt(variance + tau2)
    typical = free * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    return Pooled(
        value=mean,
        ci_low=mean - half,
        ci_high=mean + half,
        prediction_low=mean - reach,
        prediction_high=mean + reach,
        tau2=tau2,
        i2=float(100 * tau2 / (tau2 + typical)),
        q=q,
        q_p=float(chi2.sf(q, free)),
        weights=weights / weights.sum(),
    )


def pool_shares(
    values: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    *,
    method: PoolingMethod = "REML",
    modified: bool = True,
) -> Pooled:
    """Pool values between 0 and 1 (C-index, AUC) on the logit scale, and return shares again.

    A center's standard error is the width of its interval on the logit scale over 2 x 1.96.

    Args:
        values: (center,) Strictly between 0 and 1.
        lows: (center,) Lower ends of the 95% intervals.
        highs: (center,) Upper ends.
        method: See :func:`pool_random_effects`.
        modified: Likewise.

    Returns:
        Value and intervals between 0 and 1; ``tau2``, ``i2`` and ``q`` are of the logits.

    Raises:
        NotComputableError: See :func:`pool_random_effects`.
    """
    logits = _logit(np.asarray(values, dtype=np.float64))
    found = pool_random_effects(logits, logit_errors(lows, highs), method=method, modified=modified)
    return replace(
        found,
        value=_share(found.value),
        ci_low=_share(found.ci_low),
        ci_high=_share(found.ci_high),
        prediction_low=_share(found.prediction_low),
        prediction_high=_share(found.prediction_high),
    )


def logit_errors(lows: npt.ArrayLike, highs: npt.ArrayLike) -> FloatArray:
    """Return standard errors on the logit scale from the ends of 95% intervals.

    An interval that reaches 0 or 1 has none: NaN.
    """
    low, high = np.asarray(lows, dtype=np.float64), np.asarray(highs, dtype=np.float64)
    inside = (low > 0) & (high < 1) & (high > low)
    low, high = np.where(inside, low, np.nan), np.where(inside, high, np.nan)
    return np.asarray((_logit(high) - _logit(low)) / (2 * Z_95), dtype=np.float64)


def _logit(share: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(share / (1 - share)), dtype=np.float64)


def _share(logit: float) -> float:
    from scipy.special import expit

    return float(expit(logit))


def _moments(q: float, fixed: FloatArray) -> float:
    """DerSimonian and Laird's variance between centers."""
    spread = fixed.sum() - (fixed**2).sum() / fixed.sum()
    return max(0.0, float((q - (len(fixed) - 1)) / spread))


def _reml(y: FloatArray, variance: FloatArray, start: float) -> float:
    """Restricted maximum likelihood by Fisher scoring, not below zero."""
    tau2 = start
    for _ in range(1000):
        w = 1 / (variance + tau2)
        residual = y - w @ y / w.sum()
        total, squares, cubes = w.sum(), (w**2).sum(), (w**3).sum()
        trace_p = total - squares / total
        trace_pp = squares - 2 * cubes / total + (squares / total) ** 2
        step = float(((w * residual) @ (w * residual) - trace_p) / trace_pp)
        updated = max(0.0, tau2 + step)
        if abs(updated - tau2) < 1e-12:
            return updated
        tau2 = updated
    raise NotComputableError("the variance between centers does not converge")

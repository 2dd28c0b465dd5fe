"""On which scale probabilities are recalibrated: links, clipping, the columns of a spline."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray

Link = Literal["logit", "cloglog"]
"""``logit`` for classes; ``cloglog``, log(-log(1 - p)), for event probabilities: there a higher log
hazard is a shift."""
CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, where both links are infinite."""
KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the spline's knots (Harrell, Regression Modeling Strategies, 2nd ed., table 2.3)."""

FEWEST_VALUES = 4
"""Distinct probabilities that a spline needs; fewer (a model of two groups) leave a line."""


def clipped(probability: npt.ArrayLike) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the probabilities away from 0 and 1, and what to say when some were moved."""
    values = np.asarray(probability, dtype=np.float64)
    inside = np.clip(values, CLIP, 1 - CLIP)
    moved = int(np.sum(values != inside))
    said = f"{moved} probabilities nearer than {CLIP:g} to 0 or 1 clipped"
    return inside, (said,) if moved else ()


def link(probability: FloatArray, name: Link) -> FloatArray:
    """Map probabilities to the whole line."""
    if name == "logit":
        logit: FloatArray = np.log(probability) - np.log1p(-probability)
        return logit
    cloglog: FloatArray = np.log(-np.log1p(-probability))
    return cloglog


def inverse_link(score: FloatArray, name: Link) -> FloatArray:
    """Map the whole line to probabilities."""
    if name == "logit":
        probability: FloatArray = 1 / (1 + np.exp(-np.clip(score, -35, 35)))
        return probability
    event_probability: FloatArray = -np.expm1(-np.exp(np.clip(score, -35, 6)))
    return event_probability


@dataclass(frozen=True)
class SplineColumns:
    r"""A restricted cubic spline with three knots on the link scale, linear beyond the outer ones.

    With z the standardized link of the probability, the columns are z and

    .. math:: \frac{(z-k_1)_+^3 - (z-k_2)_+^3 \frac{k_3-k_1}{k_3-k_2}
              + (z-k_3)_+^3 \frac{k_2-k_1}{k_3-k_2}}{(k_3-k_1)^2}

    as in R's ``rcs(x, 3)``. Knots that coincide (few distinct probabilities) leave only z.

    Attributes:
        name: The link.
        center: Mean of the link of the sample's probabilities.
        spread: Its standard deviation.
        knots: Quantiles 0.1, 0.5 and 0.9 of z.
    """

    name: Link
    center: float
    spread: float
    knots: tuple[float, float, float]

    @classmethod
    def of_sample(cls, probability: FloatArray, name: Link) -> "SplineColumns":
        """Place the knots on the sample's probabilities; resamples keep them."""
        score = link(probability, name)
        spread = float(score.std())
        spread = spread if spread > 1e-9 else 1.0
        z = (score - score.mean()) / spread
        few = len(np.unique(score)) < FEWEST_VALUES
        first, middle, last = np.zeros(3) if few else np.quantile(z, KNOTS)
        return cls(name, float(score.mean()), spread, (float(first), float(middle), float(last)))

    def __call__(self, probability: FloatArray) -> FloatArray:
        """Return (row, 1 or 2) columns, without a constant."""
        z = (link(probability, self.name) - self.center) / self.spread
        first, middle, last = self.knots
        if min(middle - first, last - middle) < 1e-6:
            return z[:, None]
        cubes = [np.maximum(z - knot, 0) ** 3 for knot in self.knots]
        ratio = 1 / (last - middle)
        bend = cubes[0] - cubes[1] * (last - first) * ratio + cubes[2] * (middle - first) * ratio
        return np.stack([z, bend / (last - first) ** 2], axis=1)

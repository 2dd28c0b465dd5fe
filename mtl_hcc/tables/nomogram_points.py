"""A regression model as points: points of each value, and what their sum predicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

MOST_POINTS = 100.0
"""The covariate with the widest effect spans so many points, as in R's rms."""
SHOWN_PROBABILITIES = (0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99)
NOMOGRAM_COLUMNS = ["Axis", "Value", "Points"]
INTERVALS = 6
"""About so many steps between marks."""
PROBABILITIES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class NomogramAxis:
    """One covariate of a nomogram.

    Attributes:
        name: For print, with its unit.
        labels: Values of the covariate that are marked.
        effects: What each adds to the linear predictor: coefficient times value.
    """

    name: str
    labels: tuple[str, ...]
    effects: tuple[float, ...]


@dataclass(frozen=True)
class Nomogram:
    r"""A logistic or a Cox model as a nomogram, scaled as by ``nomogram`` of R's rms.

    With the effects :math:`e_j` of the covariates and u such that the widest of them spans 100
    points, a value gives :math:`(e_j - \min e_j) / u` points, and a total of p points means the
    linear predictor :math:`\eta = \alpha + \sum_j \min e_j + u p`: the probability is
    :math:`1 / (1 + e^{-\eta})`, or event-free survival :math:`S_0(t)^{\exp \eta}`.

    Attributes:
        axes: The covariates.
        intercept: :math:`\alpha`; of a Cox model what makes the baseline survival hold at
            :math:`\eta = 0`, e.g. minus the mean of the effects' sum.
        predicts: What the probability is of, for print.
        survival: Days to the baseline survival :math:`S_0`; empty for a logistic model.

    Example:
        >>> sun2022 = Nomogram(
        ...     (
        ...         NomogramAxis("AFP > 20 ng/mL", ("no", "yes"), (0, 1.53)),
        ...         NomogramAxis("Network", ("absent", "present"), (0, 3.58)),
        ...     ),
        ...     intercept=-3.51,
        ...     predicts="Probability of MVI",
        ... )
        >>> total = sun2022.total_points({"AFP > 20 ng/mL": "yes", "Network": "present"})
        >>> round(total, 1), round(sun2022.probabilities(total)["Probability of MVI"], 3)
        (142.7, 0.832)
    """

    axes: tuple[NomogramAxis, ...]
    intercept: float
    predicts: str = "Probability"
    survival: Mapping[int, float] = field(default_factory=dict)

    @property
    def unit(self) -> float:
        """What one point adds to the linear predictor."""
        return max(max(a.effects) - min(a.effects) for a in self.axes) / MOST_POINTS

    @property
    def most_points(self) -> float:
        """The largest total."""
        return sum(max(self.points(axis)) for axis in self.axes)

    def points(self, axis: NomogramAxis) -> tuple[float, ...]:
        """Return the points of each label of one covariate."""
        lowest = min(axis.effects)
        return tuple((effect - lowest) / self.unit for effect in axis.effects)

    def total_points(self, labels: Mapping[str, str]) -> float:
        """Return the sum of points.

        Args:
            labels: Name of each axis to the patient's label.
        """
        return sum(self.points(a)[a.labels.index(labels[a.name])] for a in self.axes)

    def linear_predictor(self, total: float) -> float:
        """Return the log odds or log hazard at a total of points."""
        return self.intercept + sum(min(a.effects) for a in self.axes) + self.unit * total

    def total_at(self, linear_predictor: float) -> float:
        """Return the total of points at a linear predictor."""
        return (linear_predictor - self.linear_predictor(0)) / self.unit

    def probabilities(self, total: float) -> dict[str, float]:
        """Return what is predicted at a total of points, by :attr:`outputs`."""
        eta = self.linear_predictor(total)
        if not self.survival:
            return {self.predicts: 1 / (1 + math.exp(-eta))}
        curves = zip(self.outputs, self.survival.values(), strict=True)
        return {name: baseline ** math.exp(eta) for name, baseline in curves}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what is predicted, for print."""
        if not self.survival:
            return (self.predicts,)
        return tuple(f"{self.predicts} at {days} days" for days in self.survival)

    def output_axis(self, output: str) -> dict[str, float]:
        """Return probability (as printed) to total points, those within reach of the total."""
        place = self.outputs.index(output)
        found = {}
        for probability in SHOWN_PROBABILITIES:
            if self.survival:
                baseline = list(self.survival.values())[place]
                if not 0 < baseline < 1:
                    continue
                eta = math.log(math.log(probability) / math.log(baseline))
            else:
                eta = math.log(probability / (1 - probability))
            total = self.total_at(eta)
            if -1e-9 <= total <= self.most_points + 1e-9:
                found[f"{probability:g}"] = total
        return found


def nomogram_table(nomogram: Nomogram) -> pd.DataFrame:
    """Return a nomogram as a table.

    Returns:
        ``Axis, Value, Points``: the points of each covariate's values, then the total points of
        each probability.
    """
    rows = [
        (axis.name, label, points)
        for axis in nomogram.axes
        for label, points in zip(axis.labels, nomogram.points(axis), strict=True)
    ]
    rows += [
        (f"{output} (of total points)", probability, total)
        for output in nomogram.outputs
        for probability, total in nomogram.output_axis(output).items()
    ]
    table = pd.DataFrame(rows, columns=NOMOGRAM_COLUMNS)
    return table.assign(Points=table["Points"].astype(float).round(1))


def central_range(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the range without the extremes: R's rms leaves out ten patients at each end.

    Of fewer than 200 patients 5% are left out at each end.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    share = 10 / max(len(known), 200)
    low, high = np.quantile(known, [share, 1 - share])
    return float(low), float(high)


def round_values(low: float, high: float) -> tuple[float, ...]:
    """Return multiples of 1, 2 or 5 times a power of ten that span a range.

    Example:
        >>> round_values(22.0, 88.0)
        (20.0, 40.0, 60.0, 80.0, 100.0)
    """
    if high <= low:
        return (low, low + 1)
    raw = (high - low) / INTERVALS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(place * step, 10) for place in range(first, last + 1))


def powers_of_ten(low: float, high: float) -> tuple[float, ...]:
    """Return powers of ten, and 2 and 5 times them over less than two of them, spanning a range.

    Args:
        low: Above 0.
        high: Above ``low``.

    Example:
        >>> powers_of_ten(2.0, 700.0)
        (1.0, 10.0, 100.0, 1000.0)
    """
    factors = (1.0,) if high / low >= 50 else (1.0, 2.0, 5.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return spanning(marks, low, high)


def spanning(marks: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Return the marks from the last one up to ``low`` to the first one from ``high`` on."""
    start = max((m for m in marks if m <= low * (1 + 1e-9)), default=marks[0])
    end = min((m for m in marks if m >= high * (1 - 1e-9)), default=marks[-1])
    return tuple(mark for mark in marks if start <= mark <= end)

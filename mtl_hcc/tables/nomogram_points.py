"""A regression model as points: how many a covariate gives, and what their sum predicts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

MOST_POINTS = 100.0
"""The covariate with the widest effect spans so many points, as in R's rms."""
SHOWN_PROBABILITIES = (0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99)
NOMOGRAM_COLUMNS = ["Axis", "Value", "Points"]


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

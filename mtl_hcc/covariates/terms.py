"""How a clinical column becomes the terms of a regression: units, logarithm, reference level."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.covariates.clinical_columns import is_category, level_cells, levels
from mtl_hcc.covariates.column_names import readable_name, split_unit

FEWEST_PATIENTS = 5
"""A level with fewer patients gets no estimate; its patients are left out of that covariate."""
SMALL_SHARE = 0.1
"""A lowest level with a smaller share of the patients is no reference; the most frequent is."""
LOG_SKEWED = 2.0
"""A positive number with a larger skewness is taken as its logarithm, where that halves it."""

TIMES = ("days", "months", "years")


@dataclass(frozen=True)
class Term:
    """One term of a regression.

    Attributes:
        column: Of the clinical table.
        values: (patient,) NaN where missing; a number (maybe its log10), or 0 and 1.
        level: Of a category; empty for a number.
        reference: The level compared with; empty for a number.
        log: Whether ``values`` are log10 (a hazard or odds ratio per tenfold).
        step: ``values`` are numbers over this step.
        network: What the network predicts, if this is its score in standard deviations.
    """

    column: str
    values: "pd.Series[float]"
    level: str = ""
    reference: str = ""
    log: bool = False
    step: float = 1.0
    network: str = ""

    @property
    def name(self) -> str:
        """Name within a model."""
        return f"{self.column} {self.level}".strip()

    @property
    def covariate(self) -> str:
        """Name of the covariate for print."""
        return f"Network ({self.network})" if self.network else readable_name(self.column)

    @property
    def comparison(self) -> str:
        """What a ratio compares, for print."""
        if self.level:
            return f"{self.level} vs {self.reference}"
        unit = "SD" if self.network else split_unit(self.column)[1] or "unit"
        if self.log:
            return "per tenfold (log10)"
        if self.step == 1:
            return f"per {unit.removesuffix('s') if unit in TIMES else unit}"
        return f"per {self.step:g}{' x' if unit[:1].isdigit() else ''} {unit}"


@dataclass(frozen=True)
class Reading:
    """How a column is read, the same in all models of a cohort.

    Attributes:
        column: Of the clinical table.
        category: Whether its cells are levels.
        log: Whether its numbers are taken as log10.
        step: A ratio is given per so many units: a power of ten near the standard deviation.
        reference: The level to compare with: the lowest, or the most frequent where that is rare.
    """

    column: str
    category: bool
    log: bool = False
    step: float = 1.0
    reference: str = ""


@dataclass(frozen=True)
class Covariate:
    """The terms of one column on some patients.

    Attributes:
        column: Of the clinical table.
        terms: One, or one per level but the reference.
        left_out: Level to why it has no estimate.
    """

    column: str
    terms: tuple[Term, ...]
    left_out: dict[str, str]


def reading_of(column: str, cells: "pd.Series[Any]") -> Reading:
    """Decide how a column is read.

    Args:
        column: Its name.
        cells: (patient,) Its cells, of the whole cohort.
    """
    if not is_category(cells.dropna()):
        log = needs_logarithm(cells)
        return Reading(column, category=False, log=log, step=1.0 if log else step_of(cells))
    named, order = level_cells(cells), levels(cells)
    counts = named.value_counts()
    lowest = bool(order) and counts[order[0]] >= SMALL_SHARE * counts.sum()
    reference = order[0] if lowest else str(counts.idxmax()) if order else ""
    return Reading(column, category=True, reference=reference)


def covariate(
    reading: Reading,
    cells: "pd.Series[Any]",
    outcome: "pd.Series[float]",
    *,
    time_to_event: bool,
) -> Covariate:
    """Turn one column into terms.

    A level with fewer than 5 patients, without events, or with positive patients only, has no
    estimate; its patients are left out of the fit.

    Args:
        reading: Of the column.
        cells: (patient,) Its cells, of the patients that are fitted.
        outcome: (patient,) 1 = event or positive class, 0 = not.
        time_to_event: Whether the outcome is an event in time, else a class.
    """
    column = reading.column
    if not reading.category:
        numbers = cells.astype(float)
        values = np.log10(numbers) if reading.log else numbers / reading.step
        term = Term(column, pd.Series(values), log=reading.log, step=reading.step)
        return Covariate(column, (term,), {})
    named = level_cells(cells)
    inside = {level: outcome[named == level] for level in levels(cells)}
    reasons = {level: _why_not(cases, time_to_event) for level, cases in inside.items()}
    left_out = {level: reason for level, reason in reasons.items() if reason}
    kept = [level for level in inside if level not in left_out]
    if len(kept) < 2:
        return Covariate(column, (), left_out or {"": "one level only"})
    reference = reading.reference
    if reference not in kept:
        reference = str(named[named.isin(kept)].value_counts().idxmax())
    known = named.isin(kept)
    terms = tuple(
        Term(column, (named == level).astype(float).where(known), level, reference)
        for level in kept
        if level != reference
    )
    return Covariate(column, terms, left_out)


def step_of(cells: npt.ArrayLike) -> float:
    """Return the power of ten below two standard deviations: a ratio per 1 mm shows nothing.

    Example:
        >>> step_of([40.0, 60.0, 80.0]), step_of([0.9, 1.0, 1.2])
        (10.0, 0.1)
    """
    spread = float(np.nanstd(np.asarray(cells, dtype=np.float64)))
    return float(10.0 ** np.floor(np.log10(2 * spread))) if spread > 0 else 1.0


def needs_logarithm(cells: npt.ArrayLike) -> bool:
    """Tell whether positive numbers have a tail so long that their logarithm is taken."""
    from scipy.stats import skew

    numbers = np.asarray(cells, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 3 or numbers.min() <= 0:
        return False
    raw, logged = abs(skew(numbers)), abs(skew(np.log10(numbers)))
    return bool(raw > LOG_SKEWED and logged < raw / 2)


def _why_not(outcome: "pd.Series[float]", time_to_event: bool) -> str:
    """Return why a level has no estimate; empty when it has."""
    if len(outcome) < FEWEST_PATIENTS:
        return f"fewer than {FEWEST_PATIENTS} patients"
    if not (outcome == 1).any():
        return "no event" if time_to_event else "no positive patient"
    return "" if time_to_event or (outcome == 0).any() else "no negative patient"

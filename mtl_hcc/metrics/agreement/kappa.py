"""Do two readings name the same class, beyond chance? Cohen's kappa, weighted, and Fleiss'."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import (
    Z_95,
    Counts,
    FloatArray,
    NotComputableError,
    Statistic,
    in_blocks,
)

KappaWeights = Literal["none", "linear", "quadratic"]
WHY_NOT = "all readings name one class"


@dataclass(frozen=True)
class Kappa:
    """A kappa with its interval.

    Attributes:
        value: 1 = always the same class, 0 = as often as by chance.
        ci_low: Lower end of the interval.
        ci_high: Upper end.
    """

    value: float
    ci_low: float
    ci_high: float


def agreement_weights(classes: int, weights: KappaWeights) -> FloatArray:
    r"""Return how much each pair of classes agrees, 1 on the diagonal: (class, class).

    ``"none"``: 0 off the diagonal; ``"linear"``: :math:`1 - |i - j| / (K - 1)`; ``"quadratic"``:
    :math:`1 - (i - j)^2 / (K - 1)^2`. The last two need ordered classes.
    """
    distance = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    if weights == "none":
        return np.eye(classes)
    power = 1 if weights == "linear" else 2
    agreement: FloatArray = 1 - (distance / max(1, classes - 1)) ** power
    return agreement


def kappa_of_tables(tables: FloatArray, weights: KappaWeights) -> FloatArray:
    r"""Return Cohen's (weighted) kappa :math:`(p_o - p_e) / (1 - p_e)` of cross tables.

    Args:
        tables: (..., class, class) Numbers of patients by first and second reading.
        weights: See :func:`agreement_weights`.

    Returns:
        (...), NaN where all readings name one class.
    """
    agree = agreement_weights(tables.shape[-1], weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = tables / tables.sum(axis=(-2, -1), keepdims=True)
        observed = (share * agree).sum(axis=(-2, -1))
        rows, columns = share.sum(axis=-1), share.sum(axis=-2)
        expected = np.einsum("...i,ij,...j->...", rows, agree, columns)
        values: FloatArray = np.where(
            expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan
        )
    return values


def cohen_kappa(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    classes: int,
    weights: KappaWeights = "none",
) -> Kappa:
    """Return Cohen's kappa of two readings with its large-sample interval, cut at 1 (statsmodels).

    Args:
        first: (patient,) Class 0..K-1 named by one reader.
        second: (patient,) By the other.
        classes: Number K of classes.
        weights: ``"linear"`` and ``"quadratic"`` forgive near misses between ordered classes.

    Raises:
        NotComputableError: No patient, or all readings name one class.
    """
    table = cross_table(first, second, classes)
    value = float(kappa_of_tables(table, weights))
    if np.isnan(value):
        raise NotComputableError(WHY_NOT if table.sum() else "no patient was read by both")
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(invalid="ignore"):  # a variance of zero may be rounded below it
        error = float(cohens_kappa(table, wt=None if weights == "none" else weights).std_kappa)
    half = Z_95 * (error if error > 0 else 0.0)
    return Kappa(value, value - half, min(1.0, value + half))


def cross_table(first: npt.ArrayLike, second: npt.ArrayLike, classes: int) -> FloatArray:
    """Return how many patients have each pair of classes: (class, class), first by second."""
    place = np.asarray(first, dtype=np.int64) * classes + np.asarray(second, dtype=np.int64)
    return np.bincount(place, minlength=classes**2).reshape(classes, classes).astype(np.float64)


def kappa_statistic(
    first: npt.ArrayLike, second: npt.ArrayLike, *, classes: int, weights: KappaWeights
) -> Statistic:
    """Return Cohen's kappa as a function of counts, e.g. of the labels against the decisions.

    Args: see :func:`cohen_kappa`.
    """
    place = np.asarray(first, dtype=np.int64) * classes + np.asarray(second, dtype=np.int64)
    cell = np.eye(classes**2, dtype=np.float32)[place]  # (patient, class * class)

    def kappa(counts: Counts) -> FloatArray:
        tables = (counts @ cell).astype(np.float64).reshape(-1, classes, classes)
        return kappa_of_tables(tables, weights)

    return kappa


def fleiss_kappa_statistic(ratings: npt.ArrayLike, *, classes: int) -> Statistic:
    r"""Return Fleiss' kappa of several readers as a function of counts of the patients.

    With :math:`n_{ij}` of m readers naming class j for patient i,

    .. math:: \bar P = \frac1n \sum_i \frac{\sum_j n_{ij}^2 - m}{m (m - 1)}, \quad
        \bar P_e = \sum_j \Big(\frac{\sum_i n_{ij}}{n m}\Big)^2, \quad
        \kappa = \frac{\bar P - \bar P_e}{1 - \bar P_e}

    (Fleiss, Psychological Bulletin 1971;76:378-382). The readers need not be the same persons for
    every patient. Its published standard error holds for no agreement only, so the interval is
    that of the bootstrap.

    Args:
        ratings: (patient, reader) Classes 0..K-1, no gaps.
        classes: Number K of classes.
    """
    named = np.asarray(ratings, dtype=np.int64)
    readers = named.shape[1]
    votes = np.eye(classes)[named].sum(axis=1)  # (patient, class)
    agreeing = ((votes**2).sum(axis=1) - readers) / (readers * (readers - 1))

    def kappa(counts: Counts) -> FloatArray:
        drawn = counts.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            number = drawn.sum(axis=1)
            observed = drawn @ agreeing / number
            expected = ((drawn @ votes / (number * readers)[:, None]) ** 2).sum(axis=1)
            values: FloatArray = np.where(
                expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan
            )
        return values

    return in_blocks(kappa, len(named))

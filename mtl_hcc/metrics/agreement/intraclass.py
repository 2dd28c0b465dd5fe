"""Do several readers measure the same? The six intraclass correlations with exact F intervals."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import LEVEL, FloatArray, NotComputableError

FORMS = {
    "icc_1_1": "one-way random, single reading",
    "icc_2_1": "two-way random, absolute agreement, single reading",
    "icc_3_1": "two-way mixed, consistency, single reading",
    "icc_1_k": "one-way random, mean of the readings",
    "icc_2_k": "two-way random, absolute agreement, mean of the readings",
    "icc_3_k": "two-way mixed, consistency, mean of the readings",
}
"""Shrout and Fleiss' names. Other readers than these will measure: ``icc_2_1``; only these and
their shifts do not matter: ``icc_3_1``; each patient has readers of its own: ``icc_1_1``."""


@dataclass(frozen=True)
class IntraclassCorrelation:
    """One form of the intraclass correlation.

    Attributes:
        value: 1 = the readers measure the same, 0 = no more alike than different patients.
        ci_low: Lower end of the interval.
        ci_high: Upper end.
        f: F statistic of "no correlation".
        df1: Its first degrees of freedom.
        df2: Its second.
        p: Of the one-sided F test.
    """

    value: float
    ci_low: float
    ci_high: float
    f: float
    df1: int
    df2: int
    p: float


@dataclass(frozen=True)
class MeanSquares:
    """The two-way analysis of variance of n patients by k readers, one reading each.

    Attributes:
        patients: Mean square between patients (BMS).
        readers: Between readers (JMS).
        error: Residual (EMS).
        within: Within patients (WMS): readers and residual together.
        n: Number of patients.
        k: Number of readers.
    """

    patients: float
    readers: float
    error: float
    within: float
    n: int
    k: int


def intraclass_correlations(ratings: npt.ArrayLike) -> dict[str, IntraclassCorrelation]:
    r"""Return the six intraclass correlations of readings, by the names of :data:`FORMS`.

    .. math::
        \mathrm{ICC}(1,1) &= \frac{B - W}{B + (k-1) W}, \qquad
        \mathrm{ICC}(3,1) = \frac{B - E}{B + (k-1) E} \\
        \mathrm{ICC}(2,1) &= \frac{B - E}{B + (k-1) E + k (J - E) / n}

    with the mean squares between patients B, readers J, residual E and within patients W; those of
    the mean of k readings follow by Spearman and Brown (Shrout and Fleiss, Psychological Bulletin
    1979;86:420-428; intervals: McGraw and Wong, Psychological Methods 1996;1:30-46).

    Args:
        ratings: (patient, reader) Measurements, no gaps.

    Raises:
        NotComputableError: Fewer than two patients or readers, or patients that do not differ.

    Example:
        >>> found = intraclass_correlations([[9, 2], [6, 1], [8, 4], [7, 1]])
        >>> round(found["icc_3_1"].value, 2)
        0.37
    """
    squares = mean_squares(ratings)
    return _one_way(squares) | _absolute(squares) | _consistent(squares)


def mean_squares(ratings: npt.ArrayLike) -> MeanSquares:
    """Return the mean squares of readings (patient, reader)."""
    values = np.asarray(ratings, dtype=np.float64)
    n, k = values.shape
    if n < 2 or k < 2:
        raise NotComputableError(f"{n} patients with all of {k} readings; at least 2 of each")
    of_patient = values.mean(axis=1, keepdims=True) - values.mean()
    of_reader = values.mean(axis=0, keepdims=True) - values.mean()
    rest = values - values.mean() - of_patient - of_reader
    # What is left of equal readings is rounding, not variance.
    sums = [k * (of_patient**2).sum(), n * (of_reader**2).sum(), (rest**2).sum()]
    rounding = n * k * (np.finfo(np.float64).eps * np.abs(values).max() * 8) ** 2
    patients, readers, error = (0.0 if total <= rounding else float(total) for total in sums)
    if patients == 0:
        raise NotComputableError("the readings do not differ between patients")
    within = (readers + error) / (n * (k - 1))
    free = (n - 1) * (k - 1)
    return MeanSquares(patients / (n - 1), readers / (k - 1), error / free, within, n, k)


def _one_way(squares: MeanSquares) -> dict[str, IntraclassCorrelation]:
    """Return the forms in which readers and residual are one error."""
    df1, df2 = squares.n - 1, squares.n * (squares.k - 1)
    single, mean = _of_f(squares.patients, squares.within, df1, df2, squares.k)
    return {"icc_1_1": single, "icc_1_k": mean}


def _consistent(squares: MeanSquares) -> dict[str, IntraclassCorrelation]:
    """Return the forms that forgive a constant shift of a reader."""
    df1, df2 = squares.n - 1, (squares.n - 1) * (squares.k - 1)
    single, mean = _of_f(squares.patients, squares.error, df1, df2, squares.k)
    return {"icc_3_1": single, "icc_3_k": mean}


def _of_f(
    signal: float, noise: float, df1: int, df2: int, k: int
) -> tuple[IntraclassCorrelation, IntraclassCorrelation]:
    """Return the form of one reading and that of the mean of k, both functions of F alone."""
    from scipy.special import fdtri

    f = signal / noise if noise > 0 else float("inf")
    tail = (1 + LEVEL) / 2
    ends = np.array([f, f / fdtri(df1, df2, tail), f * fdtri(df2, df1, tail)])
    single, mean = 1 - k / (ends + k - 1), 1 - 1 / ends  # the same as above, also for F infinite
    return _form(single, f, df1, df2), _form(mean, f, df1, df2)


def _absolute(squares: MeanSquares) -> dict[str, IntraclassCorrelation]:
    """Return the forms in which a shift of a reader is an error (Satterthwaite's freedom)."""
    from scipy.special import fdtri

    n, k, b, j, e = squares.n, squares.k, squares.patients, squares.readers, squares.error
    value = (b - e) / (b + (k - 1) * e + k * (j - e) / n)
    # McGraw and Wong's a F_j + b, multiplied by the residual so that it may be zero.
    of_readers, of_error = k * value * j, e * (n * (1 + (k - 1) * value) - k * value)
    spread = (n - 1) * of_readers**2 + of_error**2
    low = high = value  # without any variance of readers and residual
    if spread > 0:
        freedom = (k - 1) * (n - 1) * (of_readers + of_error) ** 2 / spread
        tail = (1 + LEVEL) / 2
        upper, lower = float(fdtri(n - 1, freedom, tail)), float(fdtri(freedom, n - 1, tail))
        noise = k * j + (k * n - k - n) * e
        low = n * (b - upper * e) / (upper * noise + n * b)
        high = n * (lower * b - e) / (noise + n * lower * b)
    df1, df2 = n - 1, (n - 1) * (k - 1)
    f = b / e if e > 0 else float("inf")
    ends = np.array([value, low, high])
    # Spearman and Brown's formula has a pole, below which the mean has no lower bound.
    below = 1 + ends * (k - 1) <= 0
    mean = np.where(below, -np.inf, ends * k / np.where(below, 1, 1 + ends * (k - 1)))
    return {"icc_2_1": _form(ends, f, df1, df2), "icc_2_k": _form(mean, f, df1, df2)}


def _form(ends: FloatArray, f: float, df1: int, df2: int) -> IntraclassCorrelation:
    """Put a value, its interval (value, low, high) and its F test together."""
    from scipy.special import fdtrc

    value, low, high = (float(number) for number in ends)
    return IntraclassCorrelation(value, low, high, f, df1, df2, float(fdtrc(df1, df2, f)))

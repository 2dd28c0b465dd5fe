"""Cox regression of all resamples at once, for a few columns."""

import weakref

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.bootstrap import BoolArray, Counts, FloatArray
from mtl_hcc.metrics.calibration.resampled_regression import newton, solve

SAME = 1e-6
"""Standardized columns closer than this are the same."""


class CoxResamples:
    """Cox's partial likelihood with Breslow's ties, maximized by Newton's method per resample.

    Each resample costs O(n) per step, after one sort.

    Args:
        columns: (patient, column) Covariates; centered ones converge best.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
    """

    def __init__(self, columns: FloatArray, time: npt.ArrayLike, event: npt.ArrayLike) -> None:
        times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
        # Latest first: everybody up to the last row of a time is at risk at that time.
        self._order = np.argsort(-times, kind="stable")
        times, events = times[self._order], events[self._order]
        self._columns = columns[self._order]
        number = columns.shape[1]
        self._products = (self._columns[:, :, None] * self._columns[:, None, :]).reshape(
            -1, number * number
        )
        self._events = np.flatnonzero(events)
        self._event_times = times[self._events]
        self._at_risk = np.searchsorted(-times, -self._event_times, side="right") - 1
        # Events are ordered latest first: those from this place on are at or before the own time.
        self._passed = np.searchsorted(-self._event_times, -times, side="left")
        ones = np.ones((1, len(times)), dtype=np.float32)
        self._counts: weakref.ref[Counts] | None = None
        self._coefficients: FloatArray = np.empty((0, number))
        self._start = np.zeros(number)
        self._start = np.nan_to_num(self.coefficients(ones)[0])

    def has(self, columns: FloatArray) -> bool:
        """Return whether these are the columns (patient, column) of this regression."""
        same = columns.shape == self._columns.shape
        return same and np.allclose(columns[self._order], self._columns, rtol=0, atol=SAME)

    def coefficients(self, counts: Counts) -> FloatArray:
        """Return (resample, column) log hazard ratios, NaN where there is no finite solution.

        The last answer is remembered: curves at several horizons may share one regression.
        """
        if self._counts is None or self._counts() is not counts:
            weights = counts[:, self._order].astype(np.float64)
            self._coefficients = newton(
                lambda beta, going: self._newton_step(beta, weights[going]),
                self._start,
                len(counts),
            )
            self._counts = weakref.ref(counts)
        return self._coefficients

    def cumulative_hazard(
        self, beta: FloatArray, counts: Counts, horizon_days: float
    ) -> FloatArray:
        """Return Breslow's cumulative baseline hazard at the horizon: (resample,)."""
        weights = counts[:, self._order].astype(np.float64)
        relative = weights * _hazard(beta @ self._columns.T)
        increments = self._increments(relative, weights)
        hazard: FloatArray = increments[:, self._event_times <= horizon_days].sum(axis=1)
        return hazard

    def _increments(self, relative: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the jumps of the baseline hazard: (resample, event)."""
        at_risk = np.cumsum(relative, axis=1)[:, self._at_risk]
        deaths = weights[:, self._events]
        return np.divide(deaths, at_risk, out=np.zeros_like(deaths), where=deaths > 0)

    def _newton_step(self, beta: FloatArray, weights: FloatArray) -> tuple[FloatArray, BoolArray]:
        number = beta.shape[1]
        relative = weights * _hazard(beta @ self._columns.T)
        at_risk = np.cumsum(relative, axis=1)[:, self._at_risk]
        deaths = weights[:, self._events]
        jumps = np.divide(deaths, at_risk, out=np.zeros_like(deaths), where=deaths > 0)
        # Cumulative hazard at each row's own time: all jumps at or before it.
        later = np.cumsum(jumps[:, ::-1], axis=1)[:, ::-1]
        later = np.concatenate([later, np.zeros((len(beta), 1))], axis=1)
        expected = relative * later[:, self._passed]
        score = deaths @ self._columns[self._events] - expected @ self._columns
        information = (expected @ self._products).reshape(-1, number, number)
        means = [
            np.cumsum(relative * self._columns[:, k], axis=1)[:, self._at_risk]
            for k in range(number)
        ]
        scaled = np.divide(jumps, at_risk, out=np.zeros_like(deaths), where=deaths > 0)
        for j in range(number):
            for k in range(number):
                information[:, j, k] -= (scaled * means[j] * means[k]).sum(axis=1)
        return solve(information, score)


def _hazard(score: FloatArray) -> FloatArray:
    relative: FloatArray = np.exp(np.clip(score, -60, 60))
    return relative

"""Which variables go with earlier events? Cox regression on one or on several of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import Z_95, FloatArray, NotComputableError
from mtl_hcc.metrics.regression_terms import refuse_terms, regression_terms
from mtl_hcc.metrics.survival.proportional_hazards import largest_likelihood, proportional_hazards_p

COLUMNS = ["hazard_ratio", "ci_low", "ci_high", "p", "ph_p"]
SEPARATED = 20.0
"""A standard error this many times the effect of one standard deviation means that the likelihood
has no maximum: a hazard ratio runs off to zero or infinity."""


def cox_regression(
    table: pd.DataFrame, time: str, event: str, covariates: Sequence[str]
) -> pd.DataFrame:
    """Fit a Cox model (Efron's ties, no penalty) to the patients with complete cells.

    A covariate of text or categories becomes one term per level, named ``<column> <level>``,
    against the first level (in the order of the categories, else of the alphabet).

    Args:
        table: One row per patient.
        time: Column of days.
        event: Column of 1 = occurred, 0 = censored.
        covariates: One column: univariate; several: multivariate.

    Returns:
        Indexed by ``term``: ``hazard_ratio`` per unit of the column, its Wald interval ``ci_low,
        ci_high`` (95%) and ``p``, and ``ph_p``, the p of proportional hazards
        (:func:`~mtl_hcc.metrics.survival.proportional_hazards.proportional_hazards_p`; empty with
        fewer than two event times). ``attrs``: ``n``, ``events``, ``dropped`` (patients with an
        empty cell) and ``ph_global_p``.

    Raises:
        NotComputableError: No complete patient, no event, a term that does not vary or repeats
            others, or a likelihood without a maximum; the message names the term.

    Example:
        >>> table = pd.DataFrame({"days": [5, 8, 9, 12], "event": [1, 1, 1, 0], "x": [2, 1, 3, 1]})
        >>> cox_regression(table, "days", "event", ["x"])["hazard_ratio"].round(3).to_dict()
        {'x': 1.247}
    """
    complete = table[[time, event, *covariates]].dropna()
    terms = regression_terms(complete[list(covariates)])
    events = int(complete[event].sum())
    if events == 0 and len(complete):
        raise NotComputableError("no event")
    refuse_terms(terms)
    center, spread = terms.mean(), terms.std(ddof=0)
    scaled = (terms - center) / spread
    beta, error = _fit(scaled, complete[time], complete[event])
    from scipy.stats import norm

    half = Z_95 * error
    found = pd.DataFrame(
        {
            "hazard_ratio": np.exp(beta / spread),
            "ci_low": np.exp((beta - half) / spread),
            "ci_high": np.exp((beta + half) / spread),
            "p": 2 * norm.sf(np.abs(beta / error)),
        },
        index=pd.Index(terms.columns, name="term"),
    )
    try:
        found["ph_p"], together = proportional_hazards_p(
            scaled, complete[time], complete[event], beta
        )
    except (NotComputableError, np.linalg.LinAlgError):
        found["ph_p"], together = np.nan, float("nan")
    found.attrs = {
        "n": len(complete),
        "events": events,
        "dropped": len(table) - len(complete),
        "ph_global_p": together,
    }
    return found[COLUMNS]


def _fit(
    scaled: pd.DataFrame, time: "pd.Series[float]", event: "pd.Series[float]"
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and standard errors (term,) of standardized terms."""
    beta, errors = largest_likelihood(scaled.to_numpy(), time, event)
    wrong = ~(errors < SEPARATED)
    if wrong.any():
        term = scaled.columns[int(np.argmax(wrong))]
        raise NotComputableError(
            f"the hazard ratio of {term} has no finite estimate (its values separate the events)"
        )
    return beta, errors


def baseline_survival(
    log_hazard: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    at_days: Sequence[float],
) -> FloatArray:
    r"""Return :math:`S_0(t) = \exp(-\sum_{t_i \le t} d_i / \sum_{j: t_j \ge t_i} e^{\eta_j})`.

    A patient with log hazard :math:`\eta` is event-free at t with probability
    :math:`S_0(t)^{\exp \eta}` (Breslow's estimate of the cumulative hazard).

    Args:
        log_hazard: (patient,) As fitted; where it is 0, the baseline holds.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        at_days: (horizon,) Times t.

    Returns:
        (horizon,) probabilities.
    """
    order = np.argsort(np.asarray(time, dtype=np.float64), kind="stable")
    days = np.asarray(time, dtype=np.float64)[order]
    occurred = np.asarray(event, dtype=bool)[order]
    hazard = np.exp(np.asarray(log_hazard, dtype=np.float64)[order])
    at_risk = np.cumsum(hazard[::-1])[::-1]
    first = np.searchsorted(days, days[occurred], side="left")
    cumulative = np.append(0.0, np.cumsum(1 / at_risk[first]))
    passed = np.searchsorted(days[occurred], np.asarray(at_days, dtype=np.float64), side="right")
    return np.asarray(np.exp(-cumulative[passed]), dtype=np.float64)

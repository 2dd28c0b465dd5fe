"""Which variables go with the positive class? Logistic regression on one or several of them."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import Z_95, FloatArray, NotComputableError
from mtl_hcc.metrics.regression_terms import refuse_terms, regression_terms

COLUMNS = ["odds_ratio", "ci_low", "ci_high", "p"]
SEPARATED = 20.0
"""A standard error this many times the effect of one standard deviation means that the likelihood
has no maximum: a term separates the classes, and its odds ratio runs off to zero or infinity."""


def logistic_regression(table: pd.DataFrame, label: str, covariates: Sequence[str]) -> pd.DataFrame:
    """Fit a logistic model (statsmodels, no penalty) to the patients with complete cells.

    Texts become terms as in :func:`~mtl_hcc.metrics.regression_terms.regression_terms`.

    Args:
        table: One row per patient.
        label: Column of 1 = positive, 0 = negative.
        covariates: One column: univariate; several: multivariate.

    Returns:
        Indexed by ``term``: ``odds_ratio`` per unit of the column, its Wald interval ``ci_low,
        ci_high`` (95%) and ``p``. ``attrs``: ``n``, ``events`` (positives), ``dropped`` (patients
        with an empty cell) and ``intercept`` (log odds where all terms are 0).

    Raises:
        NotComputableError: No complete patient, one class, a term that does not vary or repeats
            others, or classes that are separated; the message names the term.

    Example:
        >>> table = pd.DataFrame({"mvi": [0, 1, 0, 1, 1], "x": [1, 2, 3, 4, 5]})
        >>> logistic_regression(table, "mvi", ["x"])["odds_ratio"].round(3).to_dict()
        {'x': 2.976}
    """
    complete = table[[label, *covariates]].dropna()
    terms = regression_terms(complete[list(covariates)])
    refuse_terms(terms)
    positives = int(complete[label].sum())
    if positives in (0, len(complete)):
        raise NotComputableError("one class only")
    center, spread = terms.mean(), terms.std(ddof=0)
    scaled = (terms - center) / spread
    beta, error = _fit(scaled, complete[label].astype(float))
    from scipy.stats import norm

    slope, width = beta[1:] / spread, Z_95 * error[1:] / spread
    found = pd.DataFrame(
        {
            "odds_ratio": np.exp(slope),
            "ci_low": np.exp(slope - width),
            "ci_high": np.exp(slope + width),
            "p": 2 * norm.sf(np.abs(beta[1:] / error[1:])),
        },
        index=pd.Index(terms.columns, name="term"),
    )
    found.attrs = {
        "n": len(complete),
        "events": positives,
        "dropped": len(table) - len(complete),
        "intercept": float(beta[0] - (slope * center).sum()),
    }
    return found[COLUMNS]


def _fit(scaled: pd.DataFrame, label: "pd.Series[float]") -> tuple[FloatArray, FloatArray]:
    """Return coefficients and standard errors (1 + term,) of standardized terms, constant first."""
    from statsmodels.discrete.discrete_model import Logit

    design = np.column_stack([np.ones(len(scaled)), scaled.to_numpy()])
    try:
        with warnings.catch_warnings():
            # What these warn of (separation, no convergence) is judged below by the outcome.
            warnings.simplefilter("ignore")
            model = Logit(label.to_numpy(), design).fit(disp=0, maxiter=100)
    except np.linalg.LinAlgError as error:
        raise NotComputableError(_separated(list(scaled.columns))) from error
    beta, errors = np.asarray(model.params), np.asarray(model.bse)
    wrong = ~np.isfinite(beta) | ~np.isfinite(errors) | (errors > SEPARATED)
    if wrong.any():
        terms = [str(name) for name, bad in zip(scaled, wrong[1:], strict=True) if bad]
        raise NotComputableError(_separated(terms or list(scaled.columns)))
    if not model.mle_retvals["converged"]:
        raise NotComputableError("the logistic model does not converge")
    return beta, errors


def _separated(terms: list[str]) -> str:
    named = ", ".join(terms)
    return f"the odds ratio of {named} has no finite estimate (its values separate the classes)"

"""Which clinical variables go with MVI, OS and RFS, and does the network add to them? In numbers.

Three models per outcome: each variable alone and the notable ones together, on train rows; and
those together with the network's prediction, on rows that the network never saw.
"""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.covariates.terms import Covariate
from mtl_hcc.estimators.fitted_rows import train_patients
from mtl_hcc.estimators.outcome_models import (
    Outcome,
    OutcomeModel,
    affordable,
    covariates_of,
    network_model,
    outcomes_of,
    usable_columns,
)

NOTABLE = 0.05
"""Variables with a smaller univariate p (of any level) enter the models of several variables."""
UNIVARIATE, MULTIVARIATE, WITH_NETWORK = "univariate", "multivariate", "with network"
VALUE_COLUMNS = [
    "outcome",
    "model",
    "column",
    "term",
    "covariate",
    "comparison",
    "n",
    "events",
    "ratio",
    "ci_low",
    "ci_high",
    "p",
    "ph_p",
    "reason",
]


def regression_values(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    *,
    covariates: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Fit the models of every outcome.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions; the first model is the network.
        covariates: Columns to use in all models. Default: all clinical columns alone, those with
            p < 0.05 together (the smallest first, one term per 10 events). A pathological stage,
            whose T category counts invaded vessels, is not used for MVI.

    Returns:
        A row per outcome, model (``univariate``, ``multivariate``, ``with network``) and term.
        ``ratio`` is an odds ratio for MVI and a hazard ratio for survival; ``ph_p`` tests
        proportional hazards; ``reason`` says why there is no estimate. ``attrs``: ``fitted_on``
        (whom the first two models are fitted on) and ``unseen`` (whom the third).
    """
    patients = patients.assign(patient_id=patients["patient_id"].astype(str))
    parts, unseen = [], ""
    for outcome in outcomes_of(patients):
        univariate, together = clinical_models(patients, predictions, outcome, covariates)
        if len(univariate):
            parts.append(univariate)
        if together.terms:
            parts.append(_rows(outcome, MULTIVARIATE, together.values()))
        chosen = list(dict.fromkeys(term.column for term in together.terms))
        model = predictions is not None and network_model(patients, predictions, outcome, chosen)
        if model and model.score:
            unseen = " and ".join(model.score.splits)
            parts.append(_rows(outcome, WITH_NETWORK, model.values()))
    values = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=VALUE_COLUMNS)
    fitted_on = train_patients(patients, predictions)[1]
    values.attrs = {"fitted_on": fitted_on, "unseen": unseen}
    return values


def clinical_models(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None,
    outcome: Outcome,
    covariates: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, OutcomeModel]:
    """Fit each variable alone on train rows, and return the model of those that enter together.

    Args: see :func:`regression_values`.

    Returns:
        The univariate rows, and the multivariate model, smallest univariate p first (in the order
        given where ``covariates`` are given); it has no term when no variable is notable.
    """
    train, _ = train_patients(patients, predictions)
    known = train.dropna(subset=outcome.columns)
    columns = list(covariates or usable_columns(patients, outcome))
    made = covariates_of(patients, known, outcome, columns)
    parts = [_univariate(outcome, known, one) for one in made]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=VALUE_COLUMNS)
    smallest = rows.groupby("column")["p"].min().sort_values(kind="stable")
    notable = [str(column) for column in smallest.index[smallest < NOTABLE]]
    chosen = columns if covariates else notable
    by_column = {one.column: one for one in made}
    entering = [by_column[column] for column in chosen]
    if covariates:
        terms = tuple(term for one in entering for term in one.terms)
    else:
        terms = affordable(entering, int(known[outcome.event].sum()))
    return rows, OutcomeModel(outcome, known, terms)


def _univariate(outcome: Outcome, known: pd.DataFrame, one: Covariate) -> pd.DataFrame:
    """Return the rows of one variable alone; levels without an estimate last."""
    left_out = pd.DataFrame(
        [
            (one.column, f"{one.column} {level}".strip(), readable_name(one.column), level, why)
            for level, why in one.left_out.items()
        ],
        columns=["column", "term", "covariate", "comparison", "reason"],
    )
    if not one.terms:
        return _rows(outcome, UNIVARIATE, left_out)
    fitted = _rows(outcome, UNIVARIATE, OutcomeModel(outcome, known, one.terms).values())
    without = _rows(outcome, UNIVARIATE, left_out)
    return pd.concat([fitted, without], ignore_index=True) if len(without) else fitted


def _rows(outcome: Outcome, model: str, values: pd.DataFrame) -> pd.DataFrame:
    """Return values in the order and with the types of the whole table."""
    rows = values.assign(outcome=outcome.task, model=model).reindex(columns=VALUE_COLUMNS)
    numbers = ["n", "events", "ratio", "ci_low", "ci_high", "p", "ph_p"]
    return rows.astype(dict.fromkeys(numbers, float))

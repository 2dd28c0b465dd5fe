"""The nomograms of a run: clinical variables with the network, for MVI and for overall survival."""

import numpy as np
import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.covariates.terms import Term
from mtl_hcc.estimators.fitted_rows import in_words, train_patients
from mtl_hcc.estimators.outcome_models import OutcomeModel, network_model, outcomes_of
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.cox_regression import baseline_survival
from mtl_hcc.metrics.survival.horizons import DEFAULT_HORIZONS_DAYS, predicted_horizons
from mtl_hcc.tables.nomogram_points import (
    NOMOGRAM_COLUMNS,
    PROBABILITIES,
    Nomogram,
    NomogramAxis,
    central_range,
    nomogram_table,
    powers_of_ten,
    round_values,
    spanning,
)
from mtl_hcc.tables.regression_values import clinical_models

FEWEST_EVENTS = 10
"""No nomogram is drawn of a model with fewer events (of MVI: or fewer patients without)."""


def nomogram_mvi(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the nomogram of MVI (logistic regression) as a table.

    Args: see :func:`outcome_nomogram`.
    """
    return _table(patients, predictions, "mvi", models)


def nomogram_os(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the nomogram of overall survival (Cox regression) as a table.

    Args: see :func:`outcome_nomogram`.
    """
    return _table(patients, predictions, "os", models)


def outcome_nomogram(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None,
    task: str,
    models: pd.DataFrame | None = None,
) -> tuple[Nomogram, str]:
    """Fit the model of one outcome and return its nomogram and caption.

    The model is that of the regression table: the notable clinical variables with the network, on
    patients that the network never saw; without predictions the clinical variables on train rows.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions; the first model is the network.
        task: ``mvi``, ``os`` or ``rfs``.
        models: Where each model of the predictions was fitted, if that is known.

    Raises:
        NotComputableError: There is nothing to fit, or it cannot be fitted; with the reason.
    """
    patients = patients.assign(patient_id=patients["patient_id"].astype(str))
    outcomes = {outcome.task: outcome for outcome in outcomes_of(patients)}
    if task not in outcomes:
        raise NotComputableError(f"the cohort's table has no known {readable_name(task)}")
    model = clinical_models(patients, predictions, outcomes[task])[1]
    if predictions is not None:
        chosen = list(dict.fromkeys(term.column for term in model.terms))
        model = network_model(patients, predictions, outcomes[task], chosen) or model
    if not model.terms:
        raise NotComputableError("no variable with a univariate p < 0.05, and no network")
    found = model.fit()
    events, others = found.attrs["events"], found.attrs["n"] - found.attrs["events"]
    if (events if model.outcome.time else min(events, others)) < FEWEST_EVENTS:
        raise NotComputableError(f"fewer than {FEWEST_EVENTS} events, or patients without")
    coefficients = np.log(found["ratio"])
    axes = _axes(model, coefficients)
    fitted_on = train_patients(patients, predictions)[1]
    if model.score:
        fitted_on = in_words(model.score.splits, models)
    said = _caption(model, found, fitted_on)
    if not model.outcome.time:
        intercept = float(found.attrs["intercept"])
        return Nomogram(axes, intercept, f"Probability of {readable_name(task)}"), said
    table = model.table().dropna()
    scores = table[list(coefficients.index)].to_numpy() @ coefficients.to_numpy()
    time, event = table[model.outcome.time], table[model.outcome.event]
    predicted = predicted_horizons(predictions) if predictions is not None else []
    horizons = [days for days in predicted or DEFAULT_HORIZONS_DAYS if days < time.max()]
    if not horizons:
        raise NotComputableError("no horizon lies inside the follow-up")
    baseline = baseline_survival(scores - scores.mean(), time, event, horizons)
    survival = dict(zip(horizons, baseline.tolist(), strict=True))
    name = "Overall survival" if task == "os" else f"{readable_name(task)} survival"
    return Nomogram(axes, -float(scores.mean()), name, survival), said


def _table(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None,
    task: str,
    models: pd.DataFrame | None,
) -> pd.DataFrame:
    try:
        nomogram, said = outcome_nomogram(patients, predictions, task, models)
    except NotComputableError as error:
        table = pd.DataFrame(columns=NOMOGRAM_COLUMNS)
        table.attrs["caption"] = f"No nomogram of {readable_name(task)}: {error}."
        return table
    table = nomogram_table(nomogram)
    table.attrs["caption"] = said
    return table


def _caption(model: OutcomeModel, found: pd.DataFrame, fitted_on: str) -> str:
    kind, counted = ("Cox", "events") if model.outcome.time else ("logistic", "positive")
    return (
        f"Nomogram of {readable_name(model.outcome.task)} ({kind} regression), fitted on "
        f"{fitted_on} (n = {found.attrs['n']}, {found.attrs['events']} {counted}): add up the "
        "points of a patient's values and read what the total predicts. It has not been validated "
        "on other patients."
    )


def _axes(model: OutcomeModel, coefficients: "pd.Series[float]") -> tuple[NomogramAxis, ...]:
    """Return an axis per covariate: levels together, the reference first."""
    by_column: dict[str, list[Term]] = {}
    for term in model.terms:
        by_column.setdefault(term.column, []).append(term)
    axes = []
    for terms in by_column.values():
        effects = [float(coefficients[term.name]) for term in terms]
        if terms[0].level:
            labels = (terms[0].reference, *(term.level for term in terms))
            axes.append(NomogramAxis(terms[0].covariate, labels, (0.0, *effects)))
        else:
            axes.append(_number_axis(model, terms[0], effects[0]))
    return tuple(axes)


def _number_axis(model: OutcomeModel, term: Term, coefficient: float) -> NomogramAxis:
    """Return the axis of a number, marked in its own unit (network: probability, or SD)."""
    low, high = central_range(term.values)
    if term.network and model.score and not model.outcome.time:
        mean, spread = model.score.mean, model.score.spread
        ends = [1 / (1 + np.exp(-(mean + spread * end))) for end in (low, high)]
        marks = spanning(PROBABILITIES, float(ends[0]), float(ends[1]))
        log_odds = np.log(np.array(marks) / (1 - np.array(marks)))
        coded, name = (log_odds - mean) / spread, f"{term.covariate}, probability"
    elif term.log:
        marks = powers_of_ten(10**low, 10**high)
        coded, name = np.log10(marks), term.covariate
    else:
        marks = round_values(low * term.step, high * term.step)
        name = f"{term.covariate}, risk in SD" if term.network else term.covariate
        coded = np.array(marks) / term.step
    effects = tuple(float(effect) for effect in coefficient * coded)
    return NomogramAxis(name, tuple(f"{mark:g}" for mark in marks), effects)

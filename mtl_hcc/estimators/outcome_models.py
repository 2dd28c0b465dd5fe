"""The regressions of one outcome: what is fitted on whom, with a reason where it cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl_hcc.covariates.clinical_columns import clinical_columns, counts_vessels, says_mvi
from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.covariates.terms import Covariate, Term, covariate, reading_of
from mtl_hcc.estimators.fitted_rows import NetworkScore, network_score
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.logistic_regression import logistic_regression
from mtl_hcc.metrics.survival.cox_regression import cox_regression

EVENTS_PER_TERM = 10
"""A model of several variables takes one term per so many events."""
NETWORK = "network"
"""Column of the network's term."""


@dataclass(frozen=True)
class Outcome:
    """An endpoint that is regressed.

    Attributes:
        task: ``mvi``, ``os`` or ``rfs``.
        time: Column of days; empty for a class.
        event: Column of events, or of the class.
    """

    task: str
    time: str
    event: str

    @property
    def columns(self) -> list[str]:
        """The columns that make it known."""
        return [self.time, self.event] if self.time else [self.event]

    def fit(self, table: pd.DataFrame, terms: Sequence[str]) -> pd.DataFrame:
        """Fit terms (columns of ``table``): a row per term with its ``ratio``.

        Raises:
            NotComputableError: With the reason.
        """
        if self.time:
            found = cox_regression(table, self.time, self.event, terms)
            return found.rename(columns={"hazard_ratio": "ratio"})
        found = logistic_regression(table, self.event, terms)
        return found.rename(columns={"odds_ratio": "ratio"}).assign(ph_p=np.nan)


OUTCOMES = (
    Outcome("mvi", "", "mvi"),
    Outcome("os", "os_days", "os_event"),
    Outcome("rfs", "rfs_days", "rfs_event"),
)


@dataclass(frozen=True)
class OutcomeModel:
    """A model of one outcome that can be fitted.

    Attributes:
        outcome: What is explained.
        patients: Those whose outcome is known.
        terms: What explains it.
        score: The network's prediction behind its term, if there is one.
    """

    outcome: Outcome
    patients: pd.DataFrame
    terms: tuple[Term, ...]
    score: NetworkScore | None = None

    def table(self) -> pd.DataFrame:
        """Return (patient, outcome and term)."""
        terms = {term.name: term.values for term in self.terms}
        return self.patients[self.outcome.columns].assign(**terms)

    def fit(self) -> pd.DataFrame:
        """Fit the model; see :meth:`Outcome.fit`.

        Raises:
            NotComputableError: With the reason.
        """
        return self.outcome.fit(self.table(), [term.name for term in self.terms])

    def values(self) -> pd.DataFrame:
        """Return a row per term with estimates, or with the ``reason`` why there are none."""
        rows = pd.DataFrame(
            [(t.column, t.name, t.covariate, t.comparison) for t in self.terms],
            columns=["column", "term", "covariate", "comparison"],
        )
        try:
            found = self.fit()
        except NotComputableError as error:
            return rows.assign(reason=str(error))
        size = {"n": found.attrs["n"], "events": found.attrs["events"]}
        return rows.join(found, on="term").assign(**size, reason="")


def outcomes_of(patients: pd.DataFrame) -> list[Outcome]:
    """Return the outcomes that the table knows of anybody."""
    present = [o for o in OUTCOMES if set(o.columns) <= set(patients.columns)]
    return [o for o in present if patients[o.columns].notna().all(axis=1).any()]


def usable_columns(patients: pd.DataFrame, outcome: Outcome) -> list[str]:
    """Return the clinical columns that may explain an outcome.

    A pathological stage counts invaded vessels, so it does not explain MVI.
    """
    columns = [c for c in clinical_columns(patients).all if not says_mvi(c)]
    return [c for c in columns if outcome.time or not counts_vessels(c)]


def covariates_of(
    cohort: pd.DataFrame, fitted: pd.DataFrame, outcome: Outcome, columns: Sequence[str]
) -> list[Covariate]:
    """Return columns as terms.

    Args:
        cohort: All patients: how a column is read is decided on them.
        fitted: The patients that are fitted; their outcome is known.
        outcome: Whose events a level must have.
        columns: Of both tables.
    """
    return [
        covariate(
            reading_of(column, cohort[column]),
            fitted[column],
            fitted[outcome.event],
            time_to_event=bool(outcome.time),
        )
        for column in columns
    ]


def affordable(made: Sequence[Covariate], events: int, *, taken: int = 0) -> tuple[Term, ...]:
    """Return the terms of the first covariates: one term per 10 events, but one covariate at least.

    Args:
        made: The covariates, the most important first.
        events: Of the patients that are fitted.
        taken: Terms that enter besides.
    """
    room = events // EVENTS_PER_TERM - taken
    terms: tuple[Term, ...] = ()
    for one in made:
        if not terms or len(terms) + len(one.terms) <= room:
            terms += one.terms
    return terms


def network_model(
    patients: pd.DataFrame, predictions: pd.DataFrame, outcome: Outcome, columns: Sequence[str]
) -> OutcomeModel | None:
    """Return the model of clinical columns and the network, on patients that it never saw.

    With few events only the first columns enter; see :func:`affordable`.

    Args:
        patients: The cohort's table.
        predictions: Table of predictions; the first model is the network.
        outcome: What is explained.
        columns: Clinical columns, the most important first.
    """
    score = network_score(predictions, outcome.task)
    if score is None:
        return None
    known = patients.dropna(subset=outcome.columns).set_index("patient_id", drop=False)
    known = known[known.index.isin(score.values.index)]
    if known.empty:
        return None
    made = covariates_of(patients, known, outcome, columns)
    terms = affordable(made, int(known[outcome.event].sum()), taken=1)
    network = Term(NETWORK, score.values.reindex(known.index), network=readable_name(outcome.task))
    return OutcomeModel(outcome, known, (*terms, network), score)

"""Univariate and multivariate regression of MVI, OS and RFS, for print."""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.estimators.fitted_rows import in_words
from mtl_hcc.estimators.outcome_models import EVENTS_PER_TERM
from mtl_hcc.tables.printed_numbers import p_text, value_text
from mtl_hcc.tables.regression_values import (
    MULTIVARIATE,
    NOTABLE,
    UNIVARIATE,
    WITH_NETWORK,
    regression_values,
)

MODELS = {UNIVARIATE: "Univariate", MULTIVARIATE: "Multivariate", WITH_NETWORK: "With network"}
ROW = ["outcome", "covariate", "comparison"]


def regression(
    patients: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
    *,
    covariates: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return odds ratios (MVI) and hazard ratios (OS, RFS) of each variable alone and together.

    Args: see :func:`~mtl_hcc.tables.regression_values.regression_values`, which holds the numbers;
    ``models`` says where each model of the predictions was fitted, if that is known.

    Returns:
        ``Outcome, Covariate, Comparison`` and, for each of ``Univariate``, ``Multivariate`` and
        ``With network``: the ratio with its 95% interval, and p; ``PH p`` tests proportional
        hazards in the multivariate model.
    """
    values = regression_values(patients, predictions, covariates=covariates)
    columns = _columns(with_network=bool(values.attrs["unseen"]))
    table = pd.DataFrame(_records(values), columns=columns).fillna("")
    table.attrs["caption"] = regression_caption(values, models, by_user=bool(covariates))
    return table


def _columns(*, with_network: bool) -> list[str]:
    models = [name for name in MODELS.values() if with_network or name != MODELS[WITH_NETWORK]]
    of_models = [part for name in models for part in (f"{name} (95% CI)", f"{name} p")]
    return ["Outcome", "Covariate", "Comparison", *of_models, "PH p"]


def _records(values: pd.DataFrame) -> list[dict[str, str]]:
    records = []
    for (outcome, covariate, comparison), rows in values.groupby(ROW, sort=False, dropna=False):
        record = {"Outcome": readable_name(str(outcome))}
        record |= {"Covariate": str(covariate), "Comparison": str(comparison)}
        for row in rows.to_dict("records"):
            name = MODELS[row["model"]]
            printed = value_text(row["ratio"], row["ci_low"], row["ci_high"])
            record[f"{name} (95% CI)"] = printed or f"- ({row['reason']})"
            record[f"{name} p"] = p_text(row["p"])
            if row["model"] == MULTIVARIATE:
                record["PH p"] = p_text(row["ph_p"])
        records.append(record)
    return records


def regression_caption(
    values: pd.DataFrame, models: pd.DataFrame | None = None, *, by_user: bool = False
) -> str:
    """Return what was fitted on whom, for the caption of the table and of the figure."""
    if values.empty:
        return "No regression: the cohort's table has no clinical column, or no known outcome."
    fitted_on = values.attrs["fitted_on"]
    parts = [
        "Odds ratios of MVI (logistic regression) and hazard ratios of OS and RFS (Cox "
        f"regression), 95% Wald intervals. Univariate and multivariate: fitted on {fitted_on}, "
        f"complete cases; {_sizes(values, UNIVARIATE)}."
    ]
    if not (values["model"] == UNIVARIATE).any():
        parts.append("The cohort's table has no clinical column.")
    if not by_user:
        parts.append(
            f"Multivariate: variables with a univariate p < {NOTABLE:g} (of any level), the "
            f"smallest first, at most one term per {EVENTS_PER_TERM} events; "
            f"{_sizes(values, MULTIVARIATE)}. Columns are taken as the table has them, also those "
            "known only after surgery, but for MVI without pathological stages, which count "
            "invaded vessels."
        )
    unseen = values.attrs["unseen"]
    if unseen:
        parts.append(
            "With network: the same variables (again one term per "
            f"{EVENTS_PER_TERM} events) and the network's prediction, log odds or log hazard per "
            f"standard deviation, fitted on {in_words(unseen.split(' and '), models)}; "
            f"{_sizes(values, WITH_NETWORK)}."
        )
    parts.append("PH p: test of proportional hazards in the multivariate model.")
    return " ".join(parts)


def _sizes(values: pd.DataFrame, model: str) -> str:
    """Return n and events of each outcome in one model, as a range where they differ."""
    rows = values[(values["model"] == model) & values["n"].notna()]
    said = [
        f"{readable_name(str(outcome))} n = {_range(inside['n'])}, "
        f"{_range(inside['events'])} {'positive' if outcome == 'mvi' else 'events'}"
        for outcome, inside in rows.groupby("outcome", sort=False)
    ]
    return "; ".join(said) if said else "no model"


def _range(numbers: "pd.Series[float]") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low}-{high}"

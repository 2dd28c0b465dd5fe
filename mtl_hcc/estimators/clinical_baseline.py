"""What stands beside the network: clinical models on the same folds."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.metrics.covariates import Covariates, CovariateScale
from mtl_hcc.metrics.prediction_rows import prediction_rows

log = logging.getLogger(__name__)

BaselineKind = Literal["survival", "class"]
HORIZONS_DAYS = (365, 730, 1095, 1825)
RIDGES = (0.0, 0.01, 0.1, 1.0)
"""Penalties of the Cox model, tried in turn until it converges."""


def clinical_baseline(
    table: pd.DataFrame,
    splits: pd.DataFrame,
    tasks: Mapping[str, BaselineKind],
    covariates: Mapping[str, CovariateScale],
    name: str,
    *,
    horizons_days: Sequence[int] = HORIZONS_DAYS,
) -> pd.DataFrame:
    """Fit clinical models on the train split of each fold and predict every split.

    Survival tasks get a Cox model (lifelines), classes a logistic model (scikit-learn), without
    penalty; a small ridge is added only when a fit does not converge. Imputation (median),
    scaling and missingness flags come from the train split of the fold.

    Args:
        table: A cohort's table, indexed by ``patient_id``.
        splits: ``patient_id, fold, split``; the split to fit on is called ``train``.
        tasks: Endpoint (``os``: columns ``os_days``, ``os_event``) or class column (``mvi``).
        covariates: Column to its scale: ``"linear"``, ``"log"``, or the levels of a category.
        name: The ``model`` of the rows, e.g. ``"tumor size"``.
        horizons_days: Of the columns ``survival_<days>``.

    Returns:
        Rows as in ``predictions.csv`` with ``model``. A fold that cannot be fitted (no event, one
        class, no covariate known) is left out and logged.

    Raises:
        TableError: A covariate is not in the table.
    """
    unknown = [column for column in covariates if column not in table]
    if unknown:
        raise TableError(
            f"no column {', '.join(unknown)}",
            where=f"clinical baseline {name!r}",
            expected=f"columns among {', '.join(map(str, table.columns))}",
            remedy="Mend the list of covariates.",
        )
    parts = []
    for fold, of_fold in splits.groupby("fold", sort=True):
        for task, kind in tasks.items():
            rows = prediction_rows(table, of_fold, task, kind)
            try:
                predicted = _fit_predict(table, rows, kind, covariates, horizons_days)
            except NoFitError as error:
                log.warning("No baseline %r for %s in fold %s: %s.", name, task, fold, error)
                continue
            parts.append(rows.assign(model=name, **predicted))
    if not parts:
        return prediction_rows(table, splits.iloc[:0], "none", "survival").assign(model=name)
    return pd.concat(parts, ignore_index=True)


class NoFitError(ValueError):
    """A clinical model cannot be fitted; the message is the reason, as one clause."""


def _fit_predict(
    table: pd.DataFrame,
    rows: pd.DataFrame,
    kind: BaselineKind,
    covariates: Mapping[str, CovariateScale],
    horizons_days: Sequence[int],
) -> dict[str, Any]:
    """Fit on the labeled train rows and return the predicted columns of all rows."""
    patients = table.loc[rows["patient_id"]].reset_index(drop=True)
    labels = ["time_days", "event"] if kind == "survival" else ["label"]
    labeled = (rows["split"] == "train") & rows[labels].notna().all(axis=1)
    if not labeled.any():
        raise NoFitError("no labeled patient in train")
    fitted = Covariates(covariates).fit(patients[labeled])
    features = fitted.transform(patients)
    train = features[labeled]
    if train.shape[1] == 0:
        raise NoFitError("no covariate varies in train")
    # Patients of equal covariates tie, and only equal risks do: each kind of patient is predicted
    # once, since the rows of a matrix product may differ in their last bit.
    kinds, of_patient = np.unique(features, axis=0, return_inverse=True)
    asked = pd.DataFrame(kinds, columns=features.columns)
    if kind == "survival":
        predicted = _cox(train, rows[labeled], asked, horizons_days)
    else:
        predicted = _logistic(train, rows.loc[labeled, "label"], asked)
    return {column: values[of_patient] for column, values in predicted.items()}


def _cox(
    train: pd.DataFrame, outcome: pd.DataFrame, features: pd.DataFrame, horizons: Sequence[int]
) -> dict[str, Any]:
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    if not outcome["event"].any():
        raise NoFitError("no event in train")
    data = train.assign(time_days=outcome["time_days"], event=outcome["event"])
    for ridge in RIDGES:
        model = CoxPHFitter(penalizer=ridge)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", ConvergenceWarning)
                model.fit(data, "time_days", "event")
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError):
            continue
        risk = features.to_numpy() @ model.params_[features.columns].to_numpy()
        curves = model.predict_survival_function(features, times=list(horizons))
        survival = {f"survival_{days}": curves.loc[days].to_numpy() for days in horizons}
        return {"risk": risk, **survival}
    raise NoFitError("the Cox model does not converge, not even with a ridge")


def _logistic(
    train: pd.DataFrame, label: "pd.Series[float]", features: pd.DataFrame
) -> dict[str, Any]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = label.astype(int)
    if classes.nunique() < 2:
        raise NoFitError("one class in train")
    for strength in (np.inf, 100.0, 1.0):  # inverse of the ridge
        model = LogisticRegression(C=strength, max_iter=2000)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", ConvergenceWarning)
                model.fit(train.to_numpy(), classes)
        except ConvergenceWarning:
            continue
        probability = model.predict_proba(features.to_numpy())
        if len(model.classes_) == 2 and set(model.classes_) == {0, 1}:
            return {"probability": probability[:, 1]}
        by_class = dict(zip(model.classes_, probability.T, strict=True))
        number = int(max(model.classes_)) + 1
        none = np.zeros(len(features))
        return {f"probability_{k}": by_class.get(k, none) for k in range(number)}
    raise NoFitError("the logistic model does not converge, not even with a ridge")

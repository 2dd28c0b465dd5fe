"""RidgeEstimator: a Cox model for survival, a logistic model for classes, with a ridge."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtl_hcc.estimators.features import TableFeatures
from mtl_hcc.estimators.table_estimator import Floats, NoFitError, TableEstimator, TrainOutcome

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""To choose from."""
INNER_FOLDS = 5
SMALL = {"survival": (0.01, 0.1, 1.0), "class": (1e-4, 1e-2)}
"""Tried in turn where a model without a ridge does not converge."""
LARGEST = 50.0
"""A coefficient beyond this, per standard deviation, is one that ran off to infinity."""


class RidgeEstimator(TableEstimator):
    r"""Linear models on standardized features.

    Each task minimizes the mean negative (partial) log likelihood over the training patients plus
    :math:`\frac{\text{ridge}}{2} \lVert\beta\rVert^2`: Cox's with Efron's ties (scikit-survival)
    for survival, the multinomial one (scikit-learn) for classes. Missing numbers become the
    median of train, and every feature has mean 0 and standard deviation 1 there.

    Args:
        features: What is read.
        ridge: The ridge. Several (0.001 to 1 when left out) are compared by the log likelihood of
            held-out patients in five inner folds of the training split (for Cox that of Verweij and
            van Houwelingen [1]_), and the best is fitted on the whole of it. 0 fits without; a
            small one is added only where that does not converge.

    References:
        .. [1] Verweij, van Houwelingen, Statistics in Medicine 1993;12:2305-2314.
    """

    def __init__(
        self, *, features: TableFeatures, ridge: float | list[float] | None = None
    ) -> None:
        super().__init__(features=features)
        given = list(RIDGES) if ridge is None else ridge
        self.ridges = given if isinstance(given, list) else [given]
        if not self.ridges or not all(0 <= value < np.inf for value in self.ridges):
            raise ValueError(f"estimator.ridge is {ridge}; expected 0 or more, or a list of such")

    def pipeline(self, features: Floats, outcome: TrainOutcome, *, seed: int) -> "Pipeline":
        """Return the pipeline with the best ridge."""
        _check_labels(outcome)
        if len(self.ridges) > 1:
            ridges = [_best(self.ridges, features, outcome, seed=seed)]
        else:
            ridges = list(self.ridges)
        if ridges == [0]:
            ridges += SMALL[outcome.kind]
        for ridge in ridges:
            fitted = fit_linear(features, outcome, ridge)
            if fitted is not None:
                return fitted
        model = "Cox" if outcome.kind == "survival" else "logistic"
        raise NoFitError(f"the {model} model does not converge, not even with a ridge")


def fit_linear(features: Floats, outcome: TrainOutcome, ridge: float) -> "Pipeline | None":
    """Return imputation, scaling and a linear model; None where it does not converge.

    Args:
        features: (patient, feature), NaN where missing.
        outcome: Of the patients.
        ridge: See :class:`RidgeEstimator`.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    number = len(features)
    if outcome.time_days is None:
        from sklearn.linear_model import LogisticRegression

        strength = 1 / (ridge * number) if ridge else np.inf  # inverse of the ridge
        model, target = LogisticRegression(C=strength, max_iter=2000), outcome.label
    else:
        from sksurv.linear_model import CoxPHSurvivalAnalysis
        from sksurv.util import Surv

        model = CoxPHSurvivalAnalysis(alpha=ridge * number, ties="efron")
        target = Surv.from_arrays(outcome.label > 0, outcome.time_days)
    steps = [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("model", model),
    ]
    pipeline = Pipeline(steps)
    if not ridge and outcome.kind == "survival" and _is_collinear(pipeline, features):
        return None
    with _only_convergence_warns() as unconverged:
        try:
            pipeline.fit(features, target)
        except (unconverged, np.linalg.LinAlgError, ValueError):
            return None
    coefficients = np.asarray(model.coef_)
    runs_off = not ridge and outcome.kind == "survival" and abs(coefficients).max() > LARGEST
    return pipeline if np.isfinite(coefficients).all() and not runs_off else None


def _best(ridges: Sequence[float], features: Floats, outcome: TrainOutcome, *, seed: int) -> float:
    """Return the ridge with the largest log likelihood of held-out patients."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(outcome.label)
    fewest = int(counts[1] if outcome.kind == "survival" else counts[counts > 0].min())
    folds = min(INNER_FOLDS, fewest)
    if folds < 2:
        what = "event" if outcome.kind == "survival" else "patient of a class"
        raise NoFitError(f"one {what} in train, so no ridge can be chosen")
    inner = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns where fewer than that are censored.
        inner_folds = list(inner.split(features, outcome.label))
    score = partial(_held_out, features, outcome, inner_folds)
    scores = [score(ridge) for ridge in ridges]
    if not np.isfinite(scores).any():
        raise NoFitError("no ridge gives a model that converges in all inner folds")
    return float(ridges[int(np.argmax(scores))])


def _held_out(
    features: Floats, outcome: TrainOutcome, inner: list[tuple[Any, Any]], ridge: float
) -> float:
    """Return the log likelihood of the patients held out, over all inner folds."""
    total = 0.0
    for fitted_on, held in inner:
        pipeline = fit_linear(features[fitted_on], outcome.of(fitted_on), ridge)
        if pipeline is None:
            return -np.inf
        if outcome.time_days is None:
            total += _class_likelihood(pipeline, features[held], outcome.label[held])
        else:
            # The likelihood of everybody less that of those it was fitted on: a risk set of the
            # few held out alone would hardly hold anybody.
            known = pipeline.predict(features), outcome.time_days, outcome.label
            total += efron_likelihood(*known)
            total -= efron_likelihood(*(values[fitted_on] for values in known))
    return total


def efron_likelihood(risk: Floats, time_days: Floats, event: npt.NDArray[Any]) -> float:
    """Return the log partial likelihood of log hazards, with Efron's ties.

    Of d events at one time the l-th (l = 0, ..., d - 1) sees those at risk with the d events
    themselves at weight 1 - l / d.

    Args:
        risk: (patient,) log hazard.
        time_days: (patient,)
        event: (patient,) 1 where the event occurred.
    """
    happened = event > 0
    largest = risk.max(initial=-np.inf)
    hazard = np.exp(risk - largest)
    order = np.argsort(time_days, kind="stable")
    at_risk = np.cumsum(hazard[order][::-1])[::-1]  # this row and all later ones
    grid, place, deaths = np.unique(time_days[happened], return_inverse=True, return_counts=True)
    whole = at_risk[np.searchsorted(time_days[order], grid)]
    dying = np.bincount(place, hazard[happened], minlength=len(grid))
    total = float((risk[happened] - largest).sum())
    for earlier in range(int(deaths.max(initial=0))):
        tied = deaths > earlier
        total -= float(np.log(whole[tied] - earlier / deaths[tied] * dying[tied]).sum())
    return total


def _class_likelihood(pipeline: "Pipeline", features: Floats, label: Any) -> float:
    classes = list(pipeline.classes_)
    chances = pipeline.predict_proba(features)
    place = [classes.index(k) for k in label]
    return float(np.log(np.maximum(chances[np.arange(len(label)), place], 1e-12)).sum())


def _check_labels(outcome: TrainOutcome) -> None:
    if outcome.kind == "survival" and not outcome.label.any():
        raise NoFitError("no event in train")
    if outcome.kind == "class" and len(np.unique(outcome.label)) < 2:
        raise NoFitError("one class in train")


def _is_collinear(pipeline: "Pipeline", features: Floats) -> bool:
    """Tell whether a feature is a combination of the others."""
    scaled = pipeline[:-1].fit_transform(features)
    tolerance = 1e-6 * np.sqrt(len(scaled))
    return bool(np.linalg.matrix_rank(scaled, tol=tolerance) < scaled.shape[1])


@contextmanager
def _only_convergence_warns() -> Iterator[type[Warning]]:
    """Make a fit that does not converge an error, and all else that is said in it silent."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        yield ConvergenceWarning

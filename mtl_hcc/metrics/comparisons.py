"""Which of several models is better on the same patients? Every pair and metric, with Holm's p."""

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import FloatArray
from mtl_hcc.metrics.paired import ModelOnSplit, compare_pair
from mtl_hcc.metrics.prediction_columns import TRUTHS
from mtl_hcc.metrics.predictions import check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.resamples import Resamples
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.thresholds import Threshold, with_threshold
from mtl_hcc.split_names import TRAIN

COMPARISON_COLUMNS = [
    "split",
    "task",
    "metric",
    "model_a",
    "model_b",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "method",
    "horizon_days",
    "p_holm",
    "n",
    "dropped",
]
FAMILY = ["split", "task", "metric", "horizon_days"]
"""Where the pairs of models that are corrected together by Holm's method agree."""


def compare_models(
    predictions: pd.DataFrame,
    *,
    bootstraps: int = 1000,
    seed: int = 0,
    threshold: Threshold = 0.5,
    resamples: Resamples | None = None,
    judged: Collection[str] | None = None,
) -> pd.DataFrame:
    """Compare every two models on the patients (and folds) that both predict.

    AUC by DeLong's test, every other metric by the paired bootstrap: both models on the same
    resamples of the patients. Two-class tasks add NRI and IDI of ``model_a`` over ``model_b``.

    Args:
        predictions: Table of predictions with the column ``model``.
        bootstraps: Resamples of the patients, the same for both models.
        seed: Seed of the resamples.
        threshold: Cut-off of two-class tasks, or ``"youden"``, each model its own.
        resamples: In place of ``bootstraps`` and ``seed``: that of ``evaluate_predictions``, so
            that nothing is computed twice.
        judged: Names of the models under study; default: the first of the table, beside which the
            others stand. Holm's family of a metric are their pairs: with each other and with each
            comparator. Two baselines are nobody's question, and the oracle is no competitor but
            the truth: counting their pairs would hide what is there.

    Returns:
        One row per split, task, metric (and horizon) and pair, with the columns of
        ``comparisons.csv``. ``difference`` is the metric of ``model_a`` minus that of ``model_b``,
        so that for errors (Brier) less than zero is in favor of ``model_a``. ``p_holm`` is
        corrected for the number of pairs in the family of the same split, task, metric and horizon;
        metrics and splits are not corrected for each other. It is empty for the other pairs, whose
        ``method`` says why. ``n`` patients are in both, ``dropped`` in one
        only. A metric that cannot be compared is empty and says why in ``method``.
    """
    table = with_threshold(check_predictions(predictions), threshold)
    resamples = resamples or Resamples(bootstraps=bootstraps, seed=seed)
    records: list[dict[str, object]] = []
    of_train = table[table["split"] == TRAIN]
    for (split, task), rows in table.groupby(["split", "task"], sort=False):
        train = of_train[of_train["task"] == task]
        models = {
            str(model): ModelOnSplit(
                str(model),
                TaskRows(
                    with_outcome(of_model, kind),
                    with_outcome(train[train["model"] == model], kind),
                    kind,
                ),
                resamples,
            )
            for model, of_model in rows.groupby("model", sort=False)
            for kind in [task_kind(of_model)]
        }
        for a, b in combinations(models, 2):
            place = {"split": split, "task": task, "model_a": a, "model_b": b}
            pair = compare_pair(models[a], models[b])
            records += [{**place, **record} for record in pair]
    comparisons = pd.DataFrame(records, columns=COMPARISON_COLUMNS)
    numbers = ["difference", "ci_low", "ci_high", "p", "horizon_days"]
    comparisons[numbers] = comparisons[numbers].astype(float)
    names = [str(name) for name in table["model"].drop_duplicates()]
    return _corrected(comparisons, names[:1] if judged is None else judged).astype(
        {"n": "Int64", "dropped": "Int64"}
    )


def _corrected(comparisons: pd.DataFrame, judged: Collection[str]) -> pd.DataFrame:
    """Add ``p_holm`` to the pairs with a model under study, and to the others why there is none."""
    sides = comparisons[["model_a", "model_b"]]
    of_judged = sides.isin(list(judged)).any(axis=1)
    with_truth = (sides.isin(TRUTHS) & ~sides.isin(list(judged))).any(axis=1)
    family = of_judged & ~with_truth
    p_holm = holm_by(comparisons.assign(p=comparisons["p"].where(family)), FAMILY)
    truths = [
        (with_truth & (sides == name).any(axis=1), f"the {name} is no comparator")
        for name in TRUTHS
    ]
    method = comparisons["method"]
    for pairs, reason in (
        *truths,
        (~of_judged & ~with_truth, "neither model is under study"),
    ):
        tested = pairs & comparisons["p"].notna()
        method = method.mask(tested, method + f"; no p_holm: {reason}")
    return comparisons.assign(p_holm=p_holm, method=method)


def holm(p: npt.ArrayLike) -> FloatArray:
    r"""Return the p-values of a family after Holm's step-down correction (as R's ``p.adjust``).

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) p_{(j)})

    (Holm, Scandinavian Journal of Statistics 1979;6:65-70). It holds the chance of any false claim
    in the family, however the tests depend on each other.

    Args:
        p: (test,) NaN = no test; it stays NaN and does not count in m.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1) * values[order]
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def holm_by(tests: pd.DataFrame, family: Sequence[str]) -> "pd.Series[float]":
    """Return the corrected column ``p`` of a table; rows of equal ``family`` are one family."""
    adjusted = pd.Series(np.nan, index=tests.index, dtype=float)
    for _, rows in tests.groupby(list(family), dropna=False, sort=False):
        adjusted[rows.index] = holm(rows["p"])
    return adjusted

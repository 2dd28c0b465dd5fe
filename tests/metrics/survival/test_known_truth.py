"""A cohort whose truth is a formula, judged in a hospital with a shorter follow-up than train's.

Survival at 3 years is uniform on (0, 1) and times are exponential. So the perfect model's Brier
score at a horizon h is E[S (1 - S)] = 1 / (a + 1) - 1 / (2 a + 1) with a = h / 3 years, its AUC at
3 years is 5/6, and treating those above a threshold t has a net benefit of (1 - t) / 2 per patient.
"""

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import (
    brier_score,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.net_benefit import decision_curves

YEARS_3 = 1095
HORIZONS = (365, 730, YEARS_3)
NUMBER = 12_000


def patients(number: int, seed: int, split: str, end: tuple[float, float]) -> pd.DataFrame:
    """Return the perfect model's predictions; everybody is followed up to ``end`` days, uniform."""
    rng = np.random.default_rng(seed)
    surviving = rng.uniform(size=number)
    hazard = -np.log(surviving) / YEARS_3
    time, last = rng.exponential(1 / hazard), rng.uniform(*end, size=number)
    table = pd.DataFrame(
        {
            "patient_id": [f"{split}{k}" for k in range(number)],
            "center": split,
            "split": split,
            "fold": 0,
            "task": "os",
            "risk": np.log(hazard),
            "time_days": np.minimum(time, last),
            "event": (time <= last).astype(float),
        }
    )
    for days in HORIZONS:
        table[f"survival_{days}"] = surviving ** (days / YEARS_3)
    return table


def brier_of_the_truth(days: float) -> float:
    power = days / YEARS_3
    return 1 / (power + 1) - 1 / (2 * power + 1)


@pytest.fixture(scope="module")
def perfect():
    """Train is followed for 4 to 10 years, the external hospital for 0.5 to 3.5 years."""
    train = patients(2_000, 0, "train", (1460, 3650))
    return pd.concat([train, patients(NUMBER, 1, "external", (180, 1280))], ignore_index=True)


@pytest.fixture(scope="module")
def found(perfect):
    metrics = evaluate_predictions(perfect, bootstraps=0)
    external = metrics[(metrics["split"] == "external") & (metrics["center"] == "all")]
    return external.set_index(["metric", external["horizon_days"].fillna(-1)])


@pytest.mark.parametrize("days", HORIZONS)
def test_the_brier_score_of_the_truth_is_its_formula_where_the_follow_up_is_short(found, days):
    row = found.loc[("brier", days)]
    assert row["value"] == pytest.approx(brier_of_the_truth(days), abs=0.006)
    assert "censoring weights from the evaluated rows" in row["method"]


def test_the_score_at_three_years_is_one_sixth():
    assert brier_of_the_truth(YEARS_3) == pytest.approx(1 / 6)


def test_integrated_brier_auc_and_calibration_are_those_of_the_truth(found):
    scores = [brier_of_the_truth(days) for days in HORIZONS]
    integrated = np.trapezoid(scores, HORIZONS) / (HORIZONS[-1] - HORIZONS[0])
    assert found.loc[("integrated_brier", -1), "value"] == pytest.approx(integrated, abs=0.004)
    assert found.loc[("auc_td", YEARS_3), "value"] == pytest.approx(5 / 6, abs=0.012)
    assert found.loc[("brier_scaled", YEARS_3), "value"] == pytest.approx(1 / 3, abs=0.025)
    assert found.loc[("calibration_slope", YEARS_3), "value"] == pytest.approx(1, abs=0.06)
    assert found.loc[("calibration_intercept", YEARS_3), "value"] == pytest.approx(0, abs=0.06)
    for name in ("concordance_uno", "auc_td", "calibration_slope"):
        methods = found.loc[name, "method"]
        assert methods.str.contains("censoring weights from the evaluated rows").all()


def test_net_benefit_of_the_truth_is_its_formula(perfect):
    external = perfect[perfect["split"] == "external"]
    cuts = [0.2, 0.5, 0.8]
    curves = decision_curves({"perfect": external}, cuts, horizon_days=YEARS_3, bootstraps=0)
    assert curves["perfect"].value == pytest.approx([50 * (1 - cut) for cut in cuts], abs=1.2)


def test_scikit_survival_given_the_evaluated_rows_twice_agrees(perfect, found):
    external = perfect[perfect["split"] == "external"]
    outcome = Surv.from_arrays(external["event"].astype(bool), external["time_days"])
    surviving = external[[f"survival_{days}" for days in HORIZONS]]
    scores = brier_score(outcome, outcome, surviving, HORIZONS)[1]
    aucs = cumulative_dynamic_auc(outcome, outcome, external["risk"], HORIZONS, tied_tol=0)[0]
    for days, score, auc in zip(HORIZONS, scores, aucs, strict=True):
        assert found.loc[("brier", days), "value"] == pytest.approx(score, abs=1e-12)
        assert found.loc[("auc_td", days), "value"] == pytest.approx(auc, abs=1e-12)
    integrated = integrated_brier_score(outcome, outcome, surviving, HORIZONS)
    assert found.loc[("integrated_brier", -1), "value"] == pytest.approx(integrated, abs=1e-12)


def test_uno_agrees_with_scikit_survival_given_the_evaluated_rows_twice(perfect):
    few = perfect.groupby("split").head(400)
    metrics = evaluate_predictions(few, bootstraps=0)
    row = metrics.query("split == 'external' and metric == 'concordance_uno'").iloc[0]
    tau = float(row["method"].partition("events up to day ")[2].partition(";")[0])
    external = few[few["split"] == "external"]
    outcome = Surv.from_arrays(external["event"].astype(bool), external["time_days"])
    expected = concordance_index_ipcw(
        outcome, outcome, external["risk"], tau=tau + 0.01, tied_tol=0
    )[0]
    assert row["value"] == pytest.approx(expected, abs=1e-9)


def test_the_formula_by_hand_agrees(perfect, found):
    external = perfect[perfect["split"] == "external"]
    time, event = external["time_days"].to_numpy(), external["event"].to_numpy(bool)
    order = np.argsort(time)
    at_risk = np.arange(len(time), 0, -1)
    followed = np.cumprod(1 - (~event[order]) / at_risk)  # no two times are equal
    before = np.empty(len(time))
    before[order] = np.append(1.0, followed[:-1])
    then = followed[np.searchsorted(time[order], YEARS_3, side="right") - 1]
    surviving = external[f"survival_{YEARS_3}"].to_numpy()
    case, control = event & (time <= YEARS_3), time > YEARS_3
    score = (case * surviving**2 / before + control * (1 - surviving) ** 2 / then).mean()
    assert found.loc[("brier", YEARS_3), "value"] == pytest.approx(score, abs=1e-12)


def test_train_does_not_matter_unless_it_was_followed_for_less(perfect):
    few = perfect.groupby("split").head(300)
    alone = evaluate_predictions(few[few["split"] == "external"], bootstraps=20)
    beside = evaluate_predictions(few, bootstraps=20)
    names = ["brier", "brier_scaled", "integrated_brier", "auc_td", "concordance_uno", "ici"]
    columns = ["metric", "horizon_days", "value", "ci_low", "ci_high"]
    one, two = (
        table[(table["split"] == "external") & table["metric"].isin(names)][columns]
        for table in (alone, beside)
    )
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True))
    short = few[(few["split"] != "train") | (few["time_days"] < 700)]
    cut = evaluate_predictions(short, bootstraps=0).query("split == 'external'")
    cut = cut[(cut["metric"] == "brier") & (cut["horizon_days"] > 700)]
    assert cut["value"].isna().all()
    assert cut["method"].str.contains("beyond the follow-up").all()


def test_two_models_are_compared_with_the_weights_of_the_evaluated_rows(perfect):
    few = perfect.groupby("split").head(800)
    ignorant = few.assign(**{f"survival_{days}": 1 - days / 3000 for days in HORIZONS})
    both = pd.concat([few.assign(model="perfect"), ignorant.assign(model="ignorant")])
    found = compare_models(both, bootstraps=50).query("split == 'external' and metric == 'brier'")
    of_each = evaluate_predictions(both, bootstraps=0).query(
        "split == 'external' and metric == 'brier'"
    )
    values = of_each.pivot(index="horizon_days", columns="model", values="value")
    expected = values["perfect"] - values["ignorant"]
    assert found["difference"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)
    external = few[few["split"] == "external"]
    outcome = Surv.from_arrays(external["event"].astype(bool), external["time_days"])
    surviving = external[[f"survival_{days}" for days in HORIZONS]]
    scores = brier_score(outcome, outcome, surviving, HORIZONS)[1]
    assert values["perfect"].to_numpy() == pytest.approx(scores, abs=1e-12)

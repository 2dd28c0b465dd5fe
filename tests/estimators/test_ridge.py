"""Ridge models on tables: values against formulas, and nothing learned outside of train."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from mtl_hcc.errors import ConfigError, StoreError, TableError
from mtl_hcc.estimators import ClinicalColumns, RegionStatistics, RidgeEstimator
from mtl_hcc.estimators.baselines import ALL_COLUMNS, REGION_STATISTICS, strong_rows
from mtl_hcc.estimators.features import PatientTables
from mtl_hcc.estimators.ridge import efron_likelihood
from mtl_hcc.estimators.table_estimator import estimator_rows

TASKS = {"os": "survival", "mvi": "class"}
PHASES = ("arterial", "delayed")


@pytest.fixture
def tables(cohort):
    """The clinical table, and measurements of the regions that tell of the log hazard."""
    table, truth = cohort
    rng = np.random.default_rng(8)
    hazard = truth["os_log_hazard"].to_numpy()
    measured = pd.DataFrame(
        {
            f"{phase}_{region}_{what}": 60
            + 8 * hazard * (what == "mean")
            + 9 * rng.normal(size=230)
            for phase in PHASES
            for region in ("tumor", "margin")
            for what in ("mean", "sd")
        },
        index=table.index,
    )
    for phase in PHASES:
        measured[f"{phase}_parenchyma"] = 100 + 9 * rng.normal(size=230)
    measured["tumor_volume_mm3"] = np.exp(9 + hazard + rng.normal(size=230))
    clinical = table.drop(columns="tumor_diameter_mm")
    clinical["sex"] = np.where(np.arange(230) % 3 == 0, "female", "male")
    return PatientTables(clinical, measured, PHASES)


@pytest.fixture
def splits(cohort):
    return cohort[1][["patient_id", "fold", "split"]]


def test_a_fixed_ridge_minimizes_the_penalized_mean_log_likelihood(tables, splits):
    estimator = RidgeEstimator(features=RegionStatistics(volume=False), ridge=0.2)
    _, fitted, reasons = estimator_rows(estimator, tables, splits, TASKS)
    assert reasons == []
    train = tables.of(pd.Index(splits.loc[splits["split"] == "train", "patient_id"]))
    x = train.measured[list(fitted["mvi"].features)].to_numpy()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = train.clinical["mvi"].to_numpy()

    def loss(b):
        score = b[0] + x @ b[1:]
        return np.mean(np.logaddexp(0, score) - y * score) + 0.1 * b[1:] @ b[1:]

    best = minimize(loss, np.zeros(x.shape[1] + 1)).x
    model = fitted["mvi"].pipeline[-1]
    np.testing.assert_allclose(model.coef_[0], best[1:], atol=2e-3)
    days, event = train.clinical["os_days"].to_numpy(), train.clinical["os_event"].to_numpy() == 1

    def cox(b):  # no two events tie
        score = x @ b
        at_risk = [np.logaddexp.reduce(score[days >= t]) for t in days[event]]
        return (np.sum(at_risk) - score[event].sum()) / len(x) + 0.1 * b @ b

    best = minimize(cox, np.zeros(x.shape[1])).x
    np.testing.assert_allclose(fitted["os"].pipeline[-1].coef_, best, atol=0.02)


def test_ties_are_efrons(tables, splits):
    clinical = tables.clinical.assign(os_days=np.ceil(tables.clinical["os_days"] / 200))
    tied = PatientTables(clinical, tables.measured, PHASES)
    estimator = RidgeEstimator(features=ClinicalColumns(columns={"afp_ng_ml": "log"}), ridge=0.0)
    _, fitted, _ = estimator_rows(estimator, tied, splits, {"os": "survival"})
    train = clinical[clinical["split"] == "train"]
    x = np.log10(train[["afp_ng_ml"]].to_numpy() + 1)
    x = (x - x.mean()) / x.std()
    outcome = Surv.from_arrays(train["os_event"] == 1, train["os_days"])
    efron, breslow = (CoxPHSurvivalAnalysis(ties=t).fit(x, outcome) for t in ("efron", "breslow"))
    assert fitted["os"].pipeline[-1].coef_ == pytest.approx(efron.coef_)
    assert abs(efron.coef_ - breslow.coef_) > 1e-3


def test_the_held_out_likelihood_is_that_of_statsmodels_on_ties():
    from statsmodels.duration.hazard_regression import PHReg

    rng = np.random.default_rng(4)
    risk, event = rng.normal(size=60) * 3 + 40, (rng.random(60) < 0.6).astype(int)
    days = np.ceil(rng.exponential(4, 60))
    expected = PHReg(days, risk[:, None], event, ties="efron").loglike([1.0])
    assert efron_likelihood(risk, days, event) == pytest.approx(expected)
    assert efron_likelihood(risk, days, event * 0) == 0


def test_the_chosen_ridge_is_strong_where_nothing_predicts_and_weak_where_all_does(tables, splits):
    rng = np.random.default_rng(0)
    noise = tables.measured.apply(lambda column: rng.normal(size=len(column)))
    blind = PatientTables(tables.clinical, noise.abs(), PHASES)
    estimator = RidgeEstimator(features=RegionStatistics())
    alphas = {}
    for name, seen in (("blind", blind), ("seeing", tables)):
        _, fitted, _ = estimator_rows(estimator, seen, splits, TASKS)
        alphas[name] = fitted["os"].pipeline[-1].alpha / 120
    assert alphas["blind"] == pytest.approx(1.0)
    assert alphas["seeing"] < alphas["blind"]


def test_labels_and_covariates_outside_of_train_never_change_the_model(tables, splits):
    """Leakage is planted: what everybody else became, and what they are, is changed."""
    outside = tables.clinical["split"] != "train"
    planted = tables.clinical.copy()
    planted.loc[outside, "os_days"] = 7.0
    planted.loc[outside, "os_event"] = 1.0
    planted.loc[outside, "mvi"] = 1 - planted.loc[outside, "mvi"]
    planted["leak"] = np.where(outside, planted["mvi"], 0.5 + (np.arange(230) % 7) / 10)
    clean = tables.clinical.assign(leak=planted["leak"].where(~outside, 0.9))
    planted.loc[outside, "sex"] = "unknown"
    measured = tables.measured.copy()
    measured.loc[outside.to_numpy()] *= 3
    for features in (ClinicalColumns(), RegionStatistics()):
        estimator = RidgeEstimator(features=features)
        seen = PatientTables(clean, tables.measured, PHASES)
        _, before, _ = estimator_rows(estimator, seen, splits, TASKS)
        seen = PatientTables(planted, measured, PHASES)
        _, after, _ = estimator_rows(estimator, seen, splits, TASKS)
        for task in TASKS:
            one, two = before[task], after[task]
            assert one.columns == two.columns
            assert one.features == two.features
            for step in range(3):
                for name, value in vars(one.pipeline[step]).items():
                    if isinstance(value, np.ndarray) or name in ("alpha", "C"):
                        np.testing.assert_array_equal(value, vars(two.pipeline[step])[name])


def test_the_strong_baselines_stand_beside_with_rows_of_the_contract(tables, splits, capsys):
    clinical = tables.clinical.assign(vital_status=["alive", "dead"] * 115)
    tables = PatientTables(clinical, tables.measured, PHASES)
    parts = strong_rows(tables, splits, TASKS, seed=0)
    said = capsys.readouterr().out
    assert "reads afp_ng_ml, sex; not vital_status (it tells what came after)." in said
    assert [part["model"].iloc[0] for part in parts] == [REGION_STATISTICS, ALL_COLUMNS]
    for rows in parts:
        survival = rows[rows["task"] == "os"]
        assert len(survival) == len(rows) - len(survival) == 230
        assert survival["survival_365"].between(0, 1).all()
        assert rows.loc[rows["task"] == "mvi", "probability"].between(0, 1).all()
    again = strong_rows(tables, splits, TASKS, seed=0)
    for one, two in zip(parts, again, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_a_cohort_too_small_for_them_loses_them_with_the_reason(tables, splits, caplog, capsys):
    few = splits.assign(split=np.where(splits.index < 3, "train", "external"))
    clinical = tables.clinical.assign(os_event=0.0)
    clinical.iloc[0, clinical.columns.get_loc("os_event")] = 1.0
    parts = strong_rows(
        PatientTables(clinical, tables.measured, PHASES), few, {"os": "survival"}, seed=0
    )
    assert parts == []
    assert "one event in train, so no ridge can be chosen" in caplog.text
    old = PatientTables(clinical, tables.measured[["tumor_volume_mm3"]], PHASES)
    strong_rows(old, splits, {"os": "survival"}, seed=0)
    assert "Baseline 'region statistics' is left out" in capsys.readouterr().out


def test_three_phases_are_thirteen_numbers(tables):
    three = PatientTables(
        tables.clinical, tables.measured, ("arterial", "portal_venous", "delayed")
    )
    columns = RegionStatistics().choose(three, "os").measured
    assert len(columns) == 13
    assert columns["tumor_volume_mm3"] == "log"
    only = RegionStatistics(phases=["delayed"], means=["liver"], spreads=["margin"], volume=False)
    assert list(only.choose(three, "os").measured) == ["delayed_parenchyma", "delayed_margin_sd"]


def test_missing_measurements_and_phases_are_filled_by_the_median_and_flagged(tables, splits):
    measured = tables.measured.copy()
    measured.iloc[::4, 0] = np.nan
    seen = PatientTables(tables.clinical, measured, PHASES)
    _, fitted, _ = estimator_rows(RidgeEstimator(features=RegionStatistics()), seen, splits, TASKS)
    assert f"{measured.columns[0]} missing" in fitted["os"].features


def test_what_is_asked_of_tables_that_lack_it_is_said(tables, splits):
    estimator = RidgeEstimator(features=RegionStatistics())
    with pytest.raises(ConfigError, match=r"no images are prepared.*data\.preparation"):
        estimator_rows(estimator, PatientTables(tables.clinical, None, PHASES), splits, TASKS)
    old = PatientTables(tables.clinical, tables.measured.drop(columns="delayed_tumor_sd"), PHASES)
    with pytest.raises(StoreError, match=r"no column delayed_tumor_sd.*prepare the store anew"):
        estimator_rows(estimator, old, splits, TASKS)
    listed = RidgeEstimator(features=ClinicalColumns(columns={"sex": ["male"]}))
    with pytest.raises(TableError, match=r"patient P0000, column sex: level 'female'.*of male"):
        estimator_rows(listed, tables, splits, TASKS)


@pytest.mark.parametrize("ridge", [[], -1.0, [0.1, float("nan")]])
def test_a_ridge_that_is_none_is_refused(ridge):
    with pytest.raises(ValueError, match="expected 0 or more"):
        RidgeEstimator(features=ClinicalColumns(), ridge=ridge)

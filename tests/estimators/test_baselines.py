import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from sklearn.linear_model import LogisticRegression

from mtl_hcc.errors import TableError
from mtl_hcc.estimators.baselines import baseline_rows, listed_baseline
from mtl_hcc.estimators.features import Columns, PatientTables, TableFeatures
from mtl_hcc.estimators.oracle import oracle_predictions
from mtl_hcc.estimators.ridge import RidgeEstimator
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions

TASKS = {"os": "survival", "mvi": "class"}
COVARIATES = {"tumor_diameter_mm": "linear", "afp_ng_ml": "log"}


def clinical_baseline(table, splits, tasks, covariates, name):
    """Return the rows of a baseline that a config lists."""
    return baseline_rows(name, listed_baseline(covariates), PatientTables(table), splits, tasks)


@pytest.fixture
def splits(cohort):
    return cohort[1][["patient_id", "fold", "split"]]


def test_risks_and_probabilities_are_those_of_the_models_fitted_on_train(cohort, splits):
    table, _ = cohort
    rows = clinical_baseline(table, splits, TASKS, COVARIATES, "tumor size + AFP")
    features = pd.DataFrame(
        {"size": table["tumor_diameter_mm"], "afp": np.log1p(table["afp_ng_ml"])}
    )
    train = table["split"] == "train"
    cox = CoxPHFitter().fit(
        features[train].join(table.loc[train, ["os_days", "os_event"]]), "os_days", "os_event"
    )
    os = rows[rows["task"] == "os"].set_index("patient_id")
    expected = cox.predict_log_partial_hazard(features)
    np.testing.assert_allclose(
        os["risk"] - os["risk"].mean(), expected - expected.mean(), atol=1e-4
    )
    curve = cox.predict_survival_function(features, times=[365]).loc[365]
    np.testing.assert_allclose(os["survival_365"], curve, atol=1e-4)
    logistic = LogisticRegression(C=1e6).fit(features[train].to_numpy(), table.loc[train, "mvi"])
    mvi = rows[rows["task"] == "mvi"]
    np.testing.assert_allclose(
        mvi["probability"], logistic.predict_proba(features.to_numpy())[:, 1], atol=2e-3
    )


def test_the_rows_follow_the_contract_and_can_be_evaluated(cohort, splits):
    rows = clinical_baseline(cohort[0], splits, TASKS, {"afp_ng_ml": "log"}, "AFP")
    assert len(rows) == 2 * 230
    metrics = evaluate_predictions(rows, bootstraps=0)
    assert set(metrics["model"]) == {"AFP"}
    at_no_horizon = metrics[metrics["horizon_days"].isna()]
    assert at_no_horizon["value"].notna().all()


def test_patients_of_equal_covariates_have_exactly_equal_risks(cohort, splits):
    table = cohort[0].assign(stage=np.arange(230) % 3, grade=np.arange(230) // 3 % 2)
    covariates = {"stage": ["0", "1", "2"], "grade": ["0", "1"], "afp_ng_ml": "log"}
    table["afp_ng_ml"] = table["afp_ng_ml"].round(-1)
    rows = clinical_baseline(table, splits, TASKS, covariates, "stage")
    alike = table.loc[rows["patient_id"], list(covariates)].reset_index(drop=True)
    for column in ("risk", "probability", "survival_365"):
        known = rows[column].notna()
        kinds = rows[known].groupby([alike[known][name] for name in covariates])[column]
        assert kinds.size().max() > 10
        assert (kinds.nunique() == 1).all()


def test_patients_outside_train_never_change_the_fit(cohort, splits):
    table = cohort[0].copy()
    before = clinical_baseline(table, splits, TASKS, COVARIATES, "clinical")
    outside = table["split"] != "train"
    table.loc[outside, ["os_days", "mvi"]] = [7.0, 0.0]
    table.loc[outside & (table["split"] == "validation"), "afp_ng_ml"] = 1e5
    after = clinical_baseline(table, splits, TASKS, COVARIATES, "clinical")
    same = ~before["split"].isin(["validation"])
    columns = ["risk", "probability"]
    pd.testing.assert_frame_equal(before.loc[same, columns], after.loc[same, columns])


def test_every_fold_has_a_model_of_its_own(cohort):
    table = cohort[0]
    names = table.index.to_series().reset_index(drop=True)
    folds = [
        pd.DataFrame(
            {
                "patient_id": names,
                "fold": k,
                "split": np.where(names.index % 3 == k, "test", "train"),
            }
        )
        for k in range(3)
    ]
    rows = clinical_baseline(table, pd.concat(folds), {"os": "survival"}, COVARIATES, "Cox")
    assert rows.groupby("fold").size().tolist() == [230] * 3
    risk = rows.pivot(index="patient_id", columns="fold", values="risk")
    assert (risk[0] != risk[1]).all()


def test_missing_labels_and_covariates_are_no_error(cohort, splits):
    table = cohort[0].copy()
    table.iloc[::4, table.columns.get_loc("afp_ng_ml")] = np.nan
    table.iloc[::5, table.columns.get_loc("os_days")] = np.nan
    rows = clinical_baseline(table, splits, TASKS, COVARIATES, "clinical")
    assert rows.loc[rows["task"] == "os", "risk"].notna().all()
    assert rows.loc[rows["task"] == "os", "time_days"].isna().sum() == 46


def test_a_fold_that_cannot_be_fitted_is_left_out_and_logged(cohort, splits, caplog):
    table = cohort[0].assign(os_event=0.0)
    rows = clinical_baseline(table, splits, TASKS, COVARIATES, "clinical")
    assert set(rows["task"]) == {"mvi"}
    assert "No baseline 'clinical' for os in fold 0: no event in train." in caplog.text
    empty = clinical_baseline(table, splits, {"os": "survival"}, COVARIATES, "clinical")
    assert len(empty) == 0
    assert "risk" in empty


def test_separated_classes_and_collinear_covariates_still_give_a_prediction(cohort, splits):
    table = cohort[0].copy()
    table["leak"] = table["mvi"] * 10 + table["os_days"] / 1e6
    table["copy"] = table["leak"] * 2 + 1e-9
    rows = clinical_baseline(table, splits, TASKS, {"leak": "linear", "copy": "linear"}, "leak")
    assert rows.groupby("task").size().to_dict() == {"mvi": 230, "os": 230}
    metrics = evaluate_predictions(rows, bootstraps=0)
    assert (metrics.loc[metrics["metric"] == "auc", "value"] == 1).all()


def test_three_grades_get_a_probability_each(cohort, splits):
    table = cohort[0].copy()
    table["mvi_grade"] = np.arange(len(table)) % 3
    rows = clinical_baseline(table, splits, {"mvi_grade": "class"}, COVARIATES, "logistic")
    columns = ["probability_0", "probability_1", "probability_2"]
    np.testing.assert_allclose(rows[columns].sum(axis=1), 1)


def test_a_stage_is_a_baseline_of_its_levels(cohort, splits):
    table = cohort[0].copy()
    size = table["tumor_diameter_mm"]
    table["bclc_stage"] = np.select([size < 35, size < 50], ["0", "A"], "B")
    rows = clinical_baseline(table, splits, TASKS, {"bclc_stage": ["0", "A", "B", "C"]}, "BCLC")
    mvi = rows[rows["task"] == "mvi"].set_index("patient_id")
    stages = table["bclc_stage"].loc[mvi.index]
    train = table[table["split"] == "train"]
    # A logistic model of one category predicts the share of each level in train.
    shares = train.groupby("bclc_stage")["mvi"].mean()
    np.testing.assert_allclose(mvi["probability"], stages.map(shares), atol=2e-3)
    levels = pd.get_dummies(table["bclc_stage"], dtype=float)[["A", "B"]]
    outcome = train[["os_days", "os_event"]]
    cox = CoxPHFitter().fit(levels.loc[train.index].join(outcome), "os_days", "os_event")
    risk = rows[rows["task"] == "os"].set_index("patient_id")["risk"]
    expected = cox.predict_log_partial_hazard(levels.loc[risk.index])
    np.testing.assert_allclose(risk - risk.mean(), expected - expected.mean(), atol=1e-4)


def test_an_unknown_covariate_is_named(cohort, splits):
    with pytest.raises(TableError, match=r"no column 'albumin'.*baselines.clinical"):
        clinical_baseline(cohort[0], splits, TASKS, {"albumin": "linear"}, "clinical")


def test_covariates_are_imputed_scaled_flagged_and_one_hot_by_train():
    train = pd.DataFrame({"afp": [0.0, 9.0, np.nan, 0.0], "grade": ["A", "A", None, "B"]})
    columns = Columns(clinical={"afp": "log", "grade": ["A", "B", "C"]})
    task = fitted_on(train, columns)
    # "grade missing" repeats "afp missing", "grade=C" is constant: both are dropped.
    assert task.features == ("afp", "afp missing", "grade=B")
    new = pd.DataFrame({"afp": [np.nan, 0.0], "grade": ["B", "A"]})
    read = columns.read(PatientTables(new), setting="here")[list(task.features)]
    scaled = task.pipeline[:-1].transform(read.to_numpy())
    spread = (0.25 * 0.75) ** 0.5
    assert scaled[:, 0] == pytest.approx([-0.25 / spread, -0.25 / spread])
    assert scaled[:, 1] == pytest.approx([0.75 / spread, -0.25 / spread])
    assert scaled[:, 2] == pytest.approx([0.75 / spread, -0.25 / spread])


def test_levels_written_as_numbers_match_whole_numbers_in_the_table():
    train = pd.DataFrame({"ecog": [0.0, 1.0, 2.0, np.nan]})
    task = fitted_on(train, Columns(clinical={"ecog": ["0", "1", "2"]}))
    assert task.features == ("ecog=1", "ecog=2", "ecog missing")


def fitted_on(train, columns):
    """Fit a class on four patients with the columns given, and a strong ridge."""

    class Given(TableFeatures):
        def choose(self, train, task):
            return columns

    outcome = pd.DataFrame({"label": [0.0, 1.0, 0.0, 1.0]})
    estimator = RidgeEstimator(features=Given(), ridge=1.0)
    return estimator.fit(PatientTables(train), "mvi", outcome, kind="class")


def test_the_oracle_speaks_of_the_patients_it_knows_only(cohort, splits):
    table, truth = cohort
    rows = oracle_predictions(truth.iloc[:10].drop(columns=["fold", "split"]), table, splits)
    assert rows.groupby("task").size().to_dict() == {"mvi": 10, "os": 10}
    assert rows.loc[rows["task"] == "os", "risk"].tolist() == truth["os_log_hazard"][:10].tolist()

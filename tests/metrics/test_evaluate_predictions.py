import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from sksurv.metrics import concordance_index_censored

from mtl_hcc.estimators.oracle import oracle_predictions
from mtl_hcc.metrics.classification.class_metrics import MULTICLASS
from mtl_hcc.metrics.evaluate_predictions import METRIC_COLUMNS, evaluate_predictions
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.thresholds import with_threshold, youden_threshold


@pytest.fixture
def metrics(predictions):
    return evaluate_predictions(predictions, bootstraps=200)


def one(metrics: pd.DataFrame, **cells: str) -> pd.Series:
    rows = metrics[np.logical_and.reduce([metrics[key] == value for key, value in cells.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_table_has_the_columns_of_the_contract(metrics):
    assert list(metrics.columns) == METRIC_COLUMNS
    assert set(metrics["split"]) == {"train", "validation", "external"}


@pytest.mark.parametrize("split", ["train", "validation", "external"])
def test_values_equal_scikit_survival_and_scikit_learn(predictions, metrics, split):
    rows = predictions[predictions["split"] == split]
    os, mvi = rows[rows["task"] == "os"], rows[rows["task"] == "mvi"]
    expected = concordance_index_censored(os["event"] == 1, os["time_days"], os["risk"])[0]
    found = one(metrics, split=split, center="all", metric="concordance_harrell")
    assert found["value"] == pytest.approx(expected)
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert (found["n"], found["events"]) == (len(os), os["event"].sum())
    for name, value in {
        "auc": roc_auc_score(mvi["label"], mvi["probability"]),
        "f1": f1_score(mvi["label"], mvi["probability"] >= 0.5),
    }.items():
        found = one(metrics, split=split, center="all", metric=name)
        assert found["value"] == pytest.approx(value)
        assert found["events"] == mvi["label"].sum()


def test_a_split_of_several_centers_is_reported_by_center_and_pooled(metrics):
    centers = metrics.groupby("split")["center"].unique().map(set)
    assert centers["train"] == {"all"}
    assert centers["validation"] == {"all", "II", "III"}
    sizes = [one(metrics, center=c, metric="auc", split="validation")["n"] for c in ("II", "III")]
    assert sum(sizes) == 60


def test_the_truth_as_prediction_gives_the_numbers_of_the_oracle(cohort):
    table, truth = cohort
    oracle = oracle_predictions(
        truth[["patient_id", "os_log_hazard", "mvi_probability"]],
        table,
        truth[["patient_id", "fold", "split"]],
    )
    metrics = evaluate_predictions(oracle, bootstraps=0)
    for split, rows in table.groupby("split"):
        known = truth[truth["split"] == split]
        expected = concordance_index_censored(
            rows["os_event"] == 1, rows["os_days"], known["os_log_hazard"]
        )[0]
        found = one(metrics, split=split, center="all", metric="concordance_harrell")
        assert found["model"] == "oracle"
        assert found["value"] == pytest.approx(expected)
        auc = one(metrics, split=split, center="all", metric="auc")
        assert auc["value"] == pytest.approx(roc_auc_score(rows["mvi"], known["mvi_probability"]))


def test_nothing_aborts_and_the_reason_stands_in_the_method(predictions):
    external = predictions["split"] == "external"
    predictions.loc[external, "event"] = 0
    predictions.loc[external, "label"] = 1
    predictions.loc[predictions["split"] == "validation", ["time_days", "label"]] = np.nan
    metrics = evaluate_predictions(predictions, bootstraps=50)
    found = one(metrics, split="external", metric="concordance_harrell")
    assert (np.isnan(found["value"]), found["method"]) == (True, "no event")
    found = one(metrics, split="external", metric="auc")
    assert (np.isnan(found["value"]), found["method"]) == (True, "only one class among the labels")
    found = one(metrics, split="external", metric="sensitivity")
    assert np.isfinite(found["value"])
    none = metrics[(metrics["split"] == "validation") & (metrics["center"] == "all")]
    assert set(none["method"]) == {"no patient with a known outcome"}
    assert set(none["n"]) == {0}


def test_folds_are_compared_within_and_patients_counted_once(predictions):
    folds = []
    for fold, shift in enumerate((0.0, 50.0)):
        half = predictions["patient_id"].str[-1].astype(int) % 2 == fold
        rows = predictions.assign(fold=fold, split=np.where(half, "test", "train"))
        folds.append(rows.assign(risk=rows["risk"] + shift))  # each model has its own scale
    both = pd.concat(folds, ignore_index=True)
    found = one(
        evaluate_predictions(both, bootstraps=50),
        split="test",
        center="all",
        metric="concordance_harrell",
    )
    concordant = comparable = 0.0
    for _, rows in both[(both["task"] == "os") & (both["split"] == "test")].groupby("fold"):
        result = concordance_index_censored(rows["event"] == 1, rows["time_days"], rows["risk"])
        concordant += result[1] + result[3] / 2
        comparable += result[1] + result[2] + result[3]
    assert found["value"] == pytest.approx(concordant / comparable)
    assert found["n"] == 230
    assert "pairs within a fold" in found["method"]


def test_a_patient_in_several_folds_gets_bootstrap_not_wilson(predictions):
    twice = pd.concat([predictions, predictions.assign(fold=1)], ignore_index=True)
    metrics = evaluate_predictions(twice, bootstraps=50)
    found = one(metrics, split="train", center="all", metric="accuracy")
    assert found["n"] == 120
    assert "bootstrap" in found["method"]
    assert "bootstrap" in one(metrics, split="train", center="all", metric="auc")["method"]


def test_youden_cuts_come_from_the_train_rows_only(predictions):
    before = evaluate_predictions(predictions, bootstraps=0, threshold="youden")
    rows = predictions["split"] != "train"
    predictions.loc[rows, "label"] = 1 - predictions.loc[rows, "label"]
    after = evaluate_predictions(predictions, bootstraps=0, threshold="youden")
    place = {"split": "external", "metric": "accuracy"}
    assert "threshold" in one(before, **place)["method"]
    assert one(before, **place)["method"] == one(after, **place)["method"]
    assert one(before, **place)["value"] == pytest.approx(1 - one(after, **place)["value"])


def test_each_fold_has_the_youden_cut_of_its_own_train_rows(predictions):
    folds = pd.concat([predictions.assign(fold=0), predictions.assign(fold=1)], ignore_index=True)
    folds.loc[folds["fold"] == 1, "probability"] **= 3
    table = with_threshold(check_predictions(folds), "youden")
    mvi = table[table["task"] == "mvi"]
    chosen = mvi.groupby("fold")["threshold"].unique()
    for fold, train in mvi[mvi["split"] == "train"].groupby("fold"):
        expected = youden_threshold(train["label"], train["probability"])
        assert list(chosen[fold]) == [expected]
    assert chosen[1] == pytest.approx(chosen[0] ** 3)


def test_without_train_rows_there_is_no_youden_cut_but_an_auc(predictions):
    external = predictions[predictions["split"] == "external"]
    metrics = evaluate_predictions(external, bootstraps=0, threshold="youden")
    assert np.isnan(one(metrics, metric="accuracy")["value"])
    assert "no threshold" in one(metrics, metric="accuracy")["method"]
    assert np.isfinite(one(metrics, metric="auc")["value"])


def test_three_classes_get_macro_metrics(predictions):
    rows = predictions[predictions["task"] == "mvi"].drop(columns="probability")
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], size=len(rows))
    rows = rows.assign(task="mvi_grade", label=rng.integers(0, 3, len(rows)))
    rows[["probability_0", "probability_1", "probability_2"]] = probabilities
    metrics = evaluate_predictions(rows, bootstraps=50)
    train = metrics[(metrics["split"] == "train")]
    assert list(train["metric"][:6]) == list(MULTICLASS)
    classes = train[train["metric"].isin(["auc_0", "auc_1", "auc_2"])]
    assert len(classes) == 3
    assert classes["method"].str.startswith("delong; class").all()
    assert classes["value"].mean() == pytest.approx(train["value"].iloc[0])
    assert train["value"].notna().all()
    assert train["events"].isna().all()
    assert "one-versus-rest" in train["method"].iloc[0]


def test_the_same_seed_gives_the_same_table(predictions, metrics):
    again = evaluate_predictions(predictions, bootstraps=200)
    pd.testing.assert_frame_equal(metrics, again)


def test_small_centers_get_intervals_of_the_main_metrics_only(predictions):
    small = predictions[predictions["split"] != "train"].copy()
    small["center"] = [f"center {place % 9}" for place in pd.factorize(small["patient_id"])[0]]
    metrics = evaluate_predictions(small, bootstraps=50)
    inside = metrics[(metrics["center"] != "all") & metrics["value"].notna()]
    inside = inside[inside["n"] < 20]
    main = inside["metric"].isin(["concordance_harrell", "auc"])
    assert inside.loc[main, "ci_low"].notna().any()
    resampled = inside["metric"].isin(["brier", "ici", "f1", "auc_td"])
    assert resampled.any()
    assert inside.loc[resampled, "ci_low"].isna().all()
    assert inside.loc[resampled, "method"].str.contains("fewer than 20 patients").all()
    pooled = metrics[(metrics["center"] == "all") & (metrics["metric"] == "f1")]
    assert pooled["ci_low"].notna().all()

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.estimators.fitted_rows import network_score, train_patients, unseen_splits


def folds(patients):
    """Predictions of two folds: every patient is tested once."""
    parts = []
    for fold in (0, 1):
        split = np.where(np.arange(len(patients)) % 2 == fold, "test", "train")
        rows = patients[["patient_id", "center"]].assign(split=split, fold=fold, task="os")
        risk = np.arange(len(patients)) + 1000.0 * fold  # two folds, two zeros
        outcome = {"time_days": patients["os_days"], "event": patients["os_event"]}
        parts.append(rows.assign(risk=risk, **outcome))
    return pd.concat(parts, ignore_index=True)


def test_clinical_models_are_fitted_on_the_runs_train_rows(patients, predictions):
    train, said = train_patients(patients.drop(columns="split"), predictions)
    assert said == "train rows"
    assert set(train["patient_id"]) == set(patients.loc[patients["split"] == "train", "patient_id"])
    assert len(train_patients(patients, None)[0]) == 160
    everybody, said = train_patients(patients.drop(columns="split"), None)
    assert len(everybody) == 330
    assert "no train split is known" in said


def test_in_cross_validation_everybody_is_a_train_patient(patients):
    train, said = train_patients(patients, folds(patients))
    assert len(train) == 330
    assert said == "all patients of the cross-validation"


def test_the_network_is_judged_on_unseen_patients_of_its_own(patients, predictions):
    score = network_score(predictions, "os")
    external = predictions.query("model == 'network' and task == 'os' and split == 'external'")
    assert score.splits == ("external",)
    expected = external.set_index("patient_id")["risk"]
    expected = (expected - expected.mean()) / expected.std()
    pd.testing.assert_series_equal(
        score.values.sort_index(), expected.sort_index(), check_names=False
    )


def test_log_hazards_of_two_folds_are_centered(patients):
    score = network_score(folds(patients), "os")
    by_fold = score.values.to_numpy().reshape(-1, 2).mean(axis=0)
    np.testing.assert_allclose(by_fold, 0, atol=0.02)


def test_probabilities_become_log_odds(predictions):
    score = network_score(predictions, "mvi")
    rows = predictions.query("model == 'network' and task == 'mvi' and split == 'external'")
    log_odds = np.log(rows["probability"] / (1 - rows["probability"]))
    assert [score.mean, score.spread] == pytest.approx([log_odds.mean(), log_odds.std()])


def test_validation_serves_where_nothing_else_is_unseen(predictions):
    assert unseen_splits(predictions) == ("external",)
    assert unseen_splits(predictions[predictions["split"] != "external"]) == ("validation",)
    assert network_score(predictions, "rfs") is None
    assert network_score(predictions[predictions["split"] == "train"], "os") is None

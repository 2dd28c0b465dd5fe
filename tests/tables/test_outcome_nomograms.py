import numpy as np
import pytest

from mtl_hcc.estimators.fitted_rows import fitted_models
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.classification.logistic_regression import logistic_regression
from mtl_hcc.tables.outcome_nomograms import nomogram_mvi, nomogram_os, outcome_nomogram


def test_the_network_is_marked_in_probabilities_and_afp_in_ng_per_ml(patients, predictions):
    nomogram, caption = outcome_nomogram(
        patients, predictions, "mvi", fitted_models(["network", "AFP"])
    )
    by_name = {axis.name: axis for axis in nomogram.axes}
    network = by_name["Network (MVI), probability"]
    assert "0.5" in network.labels
    assert nomogram.points(network)[-1] > nomogram.points(network)[0]
    assert "external rows, which the network never saw" in caption
    alone = outcome_nomogram(patients, None, "mvi")[0]
    assert {a.name: a.labels for a in alone.axes}["AFP (ng/mL)"][-4:] == ("1", "10", "100", "1000")


def test_a_patients_points_give_the_fitted_probability(patients):
    train = patients[patients["split"] == "train"]
    table = train.assign(size=train["tumor_diameter_mm"] / 10)
    found = logistic_regression(table, "mvi", ["size"])
    nomogram, _ = outcome_nomogram(
        patients[["patient_id", "split", "mvi", "tumor_diameter_mm"]], None, "mvi"
    )
    (axis,) = nomogram.axes
    label = axis.labels[1]
    odds = found.attrs["intercept"] + np.log(found["odds_ratio"]["size"]) * float(label) / 10
    total = nomogram.total_points({axis.name: label})
    assert nomogram.probabilities(total)["Probability of MVI"] == pytest.approx(
        1 / (1 + np.exp(-odds)), abs=1e-6
    )


def test_survival_is_read_at_the_predicted_horizons(patients, predictions):
    nomogram, _ = outcome_nomogram(patients, predictions, "os")
    assert list(nomogram.survival) == [365]
    assert list(outcome_nomogram(patients, None, "os")[0].survival) == [365, 730, 1095, 1825]
    late = [nomogram.probabilities(total)["Overall survival at 365 days"] for total in (0, 50, 100)]
    assert late == sorted(late, reverse=True)


def test_what_cannot_be_fitted_says_why(bare, patients):
    assert nomogram_mvi(bare).attrs["caption"] == (
        "No nomogram of MVI: the cohort's table has no known MVI."
    )
    assert "no variable with a univariate p < 0.05" in nomogram_os(bare).attrs["caption"]
    with pytest.raises(NotComputableError, match="no known RFS"):
        outcome_nomogram(patients, None, "rfs")


def test_a_handful_of_events_makes_no_nomogram(patients, predictions):
    few = patients.groupby("split").head(8)
    caption = nomogram_os(few, predictions).attrs["caption"]
    assert caption == "No nomogram of OS: fewer than 10 events, or patients without."


def test_the_tables_hold_points(patients, predictions):
    for make in (nomogram_mvi, nomogram_os):
        table = make(patients, predictions)
        assert list(table) == ["Axis", "Value", "Points"]
        assert table["Points"].max() >= 100

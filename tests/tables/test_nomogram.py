import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.classification.logistic_regression import logistic_regression
from mtl_hcc.metrics.survival.cox_regression import baseline_survival, cox_regression
from mtl_hcc.tables.nomogram_points import Nomogram, NomogramAxis, nomogram_table

R = pd.read_csv(Path(__file__).parents[1] / "oracles" / "nomogram" / "nomogram.csv", dtype=str)
R["points"] = R["points"].astype(float)
TERMS = ["log_afp", "age_years", "G2", "G3"]
SUN2022 = Nomogram(
    (
        NomogramAxis("AFP > 20 ng/mL", ("no", "yes"), (0.0, 1.53)),
        NomogramAxis("Network", ("absent", "present"), (0.0, 3.58)),
    ),
    intercept=-3.51,
    predicts="Probability of MVI",
)


@pytest.fixture(scope="module")
def tcga(clinical_tables):
    table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    grade = table["grade"].replace({"G4": "G3"}).where(table["grade"].notna())
    table = table.assign(
        log_afp=np.log10(table["afp"]),
        G2=(grade == "G2").where(grade.notna()).astype(float),
        G3=(grade == "G3").where(grade.notna()).astype(float),
    )
    return table.dropna(subset=TERMS)


def axes(coefficients):
    afp, age = (1, 10, 100, 1000, 10000), (20, 40, 60, 80)
    return (
        NomogramAxis("afp", tuple(map(str, afp)), tuple(coefficients["log_afp"] * np.log10(afp))),
        NomogramAxis(
            "age_years", tuple(map(str, age)), tuple(coefficients["age_years"] * np.array(age))
        ),
        NomogramAxis("grade", ("G1", "G2", "G3"), (0.0, coefficients["G2"], coefficients["G3"])),
    )


def assert_points_are_those_of_rms(nomogram, model):
    for axis in nomogram.axes:
        expected = R[(R["model"] == model) & (R["axis"] == axis.name)]
        assert list(axis.labels) == expected["value"].tolist()
        np.testing.assert_allclose(nomogram.points(axis), expected["points"], atol=0.05)


def test_a_logistic_nomogram_is_that_of_rms(tcga):
    found = logistic_regression(tcga, "mvi", TERMS)
    nomogram = Nomogram(axes(np.log(found["odds_ratio"])), found.attrs["intercept"], "p")
    assert_points_are_those_of_rms(nomogram, "mvi")
    expected = R[(R["model"] == "mvi") & (R["axis"] == "probability")].set_index("value")["points"]
    marks = nomogram.output_axis("p")
    for probability, total in expected.items():
        assert marks[probability] == pytest.approx(total, abs=0.05)
        assert nomogram.probabilities(total)["p"] == pytest.approx(float(probability), abs=1e-3)


def test_a_cox_nomogram_is_that_of_rms(tcga):
    alive = tcga[tcga["os_days"] > 0]
    found = cox_regression(alive, "os_days", "os_event", TERMS)
    beta = np.log(found["hazard_ratio"])
    score = alive[TERMS] @ beta
    baseline = baseline_survival(
        score - score.mean(), alive["os_days"], alive["os_event"], [365, 1095]
    )
    survival = dict(zip((365, 1095), baseline, strict=True))
    nomogram = Nomogram(axes(beta), -score.mean(), "OS", survival)
    assert_points_are_those_of_rms(nomogram, "os")
    assert nomogram.outputs == ("OS at 365 days", "OS at 1095 days")
    for days in ("365", "1095"):
        expected = R[(R["model"] == "os") & (R["axis"] == days)].set_index("value")["points"]
        for probability, total in expected.items():  # rms takes Efron's baseline, not Breslow's
            found_at = nomogram.probabilities(total)[f"OS at {days} days"]
            assert found_at == pytest.approx(float(probability), abs=2e-3)


def test_the_published_nomogram_of_sun_2022_is_reproduced():
    for afp, network in ((0, 0), (0, 1), (1, 0), (1, 1)):
        labels = {
            "AFP > 20 ng/mL": ("no", "yes")[afp],
            "Network": ("absent", "present")[network],
        }
        total = SUN2022.total_points(labels)
        y = -3.51 + 1.53 * afp + 3.58 * network
        assert SUN2022.linear_predictor(total) == pytest.approx(y)
        expected = 1 / (1 + math.exp(-y))
        assert SUN2022.probabilities(total) == {"Probability of MVI": pytest.approx(expected)}
    assert SUN2022.most_points == pytest.approx(100 * (1 + 1.53 / 3.58))


def test_the_table_lists_points_of_values_then_totals_of_probabilities():
    table = nomogram_table(SUN2022)
    rows = table.set_index(["Axis", "Value"])["Points"]
    assert rows["AFP > 20 ng/mL", "yes"] == pytest.approx(42.7)
    assert rows["Network", "present"] == 100
    total = rows["Probability of MVI (of total points)", "0.5"]
    assert total == pytest.approx(100 * 3.51 / 3.58, abs=0.05)


def test_effects_below_zero_give_points_to_the_lowest_value():
    nomogram = Nomogram((NomogramAxis("age", ("20", "80"), (-0.2, -0.8)),), intercept=0.5)
    assert nomogram.total_points({"age": "20"}) == pytest.approx(100)
    assert nomogram.linear_predictor(100) == pytest.approx(0.3)
    assert nomogram.linear_predictor(0) == pytest.approx(-0.3)

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.tables.regression_values import regression_values

R = pd.read_csv(Path(__file__).parents[1] / "oracles" / "regression" / "regression.csv")
NUMBERS = ["ratio", "ci_low", "ci_high", "p"]


@pytest.fixture(scope="module")
def values(patients, predictions):
    return regression_values(patients, predictions)


@pytest.fixture(scope="module")
def tcga(clinical_tables):
    table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    table.loc[table["os_days"] <= 0, "os_days"] = np.nan
    kept = ["patient_id", "os_days", "os_event", "mvi", "age_years"]
    return table[kept].assign(afp_ng_ml=table["afp"], male=(table["sex"] == "male") * 1.0)


def test_ratios_of_tcga_lihc_are_those_of_glm_and_coxph(tcga):
    covariates = ["afp_ng_ml", "age_years", "male"]
    found = regression_values(tcga, covariates=covariates)
    for outcome, model, name, term in (
        ("mvi", "univariate", "mvi ~ log_afp", "log_afp"),
        ("mvi", "univariate", "mvi ~ male", "male"),
        ("mvi", "multivariate", "mvi ~ log_afp + age_years + male", "log_afp"),
        ("mvi", "multivariate", "mvi ~ log_afp + age_years + male", "male"),
        ("os", "univariate", "os ~ log_afp", "log_afp"),
    ):
        row = found[(found["outcome"] == outcome) & (found["model"] == model)]
        row = row[row["column"] == {"log_afp": "afp_ng_ml"}.get(term, term)].iloc[0]
        expected = R[(R["model"] == name) & (R["term"] == term)].iloc[0]
        np.testing.assert_allclose(
            row[NUMBERS].astype(float), expected[NUMBERS].astype(float), rtol=1e-4
        )
        assert (row["n"], row["events"]) == (expected["n"], expected["events"])


def test_age_is_reported_per_ten_years(tcga):
    found = regression_values(tcga, covariates=["age_years"])
    row = found[(found["outcome"] == "os") & (found["model"] == "univariate")].iloc[0]
    expected = R[(R["model"] == "os ~ age_years")].iloc[0]
    assert row["comparison"] == "per 10 years"
    assert row["ratio"] == pytest.approx(expected["ratio"] ** 10, rel=1e-4)
    assert row["p"] == pytest.approx(expected["p"], rel=1e-3)


def test_notable_variables_enter_together_the_smallest_p_first(values):
    for outcome in ("mvi", "os"):
        rows = values[values["outcome"] == outcome]
        univariate = rows[rows["model"] == "univariate"].groupby("column")["p"].min()
        entered = rows.loc[rows["model"] == "multivariate", "column"].unique()
        expected = univariate[univariate < 0.05].sort_values().index
        assert list(entered) == list(expected)
        assert "tumor_diameter_mm" in entered


def test_the_network_counts_beside_clinical_variables_on_unseen_rows(values):
    rows = values[(values["model"] == "with network") & (values["column"] == "network")]
    assert set(rows["outcome"]) == {"mvi", "os"}
    assert (rows["p"] < 0.05).all()
    assert (rows["ratio"] > 1.5).all()
    assert (rows["n"] <= 90).all()
    assert values.attrs == {"fitted_on": "train rows", "unseen": "external"}


def test_few_events_leave_room_for_one_clinical_variable(patients, predictions):
    few = patients.assign(os_event=patients["os_event"].where(patients.index % 5 == 0, 0.0))
    found = regression_values(few, predictions, covariates=["tumor_diameter_mm", "age_years"])
    rows = found[(found["model"] == "with network") & (found["outcome"] == "os")]
    assert rows["column"].tolist() == ["tumor_diameter_mm", "network"]


def test_train_patients_alone_decide_the_clinical_models(patients, predictions):
    changed = patients.copy()
    outside = changed["split"] != "train"
    changed.loc[outside, ["os_event", "mvi"]] = 1.0
    before = regression_values(patients, predictions)
    after = regression_values(changed, predictions)
    one, two = (t[t["model"] == "univariate"].reset_index(drop=True) for t in (before, after))
    pd.testing.assert_frame_equal(one, two)


def test_a_separated_variable_says_why_and_the_others_stay(patients):
    table = patients.assign(perfect_u_l=patients["mvi"] * 10 + patients.index / 1000)
    found = regression_values(table)
    row = found[(found["column"] == "perfect_u_l") & (found["outcome"] == "mvi")]
    assert row["reason"].str.contains("separate the classes").all()
    assert row["ratio"].isna().all()
    assert found["ratio"].notna().any()


def test_a_pathological_stage_explains_survival_but_not_mvi(patients):
    found = regression_values(patients.rename(columns={"bclc_stage": "stage"}))
    assert set(found.loc[found["column"] == "stage", "outcome"]) == {"os"}


def test_a_table_without_clinical_columns_has_no_rows(bare):
    assert regression_values(bare).empty
    assert regression_values(bare.drop(columns="os_event")).empty

"""Which columns predict when all are asked for: decided on training patients, by rules in words."""

import numpy as np
import pandas as pd

from mtl_hcc.covariates.all_columns import OTHER, all_columns, frequent_levels, grouped

N = 40


def table(**columns):
    rng = np.random.default_rng(0)
    plain = {"age_years": np.round(rng.normal(60, 9, N)), "sex": ["male", "female"] * (N // 2)}
    index = pd.Index([f"P{i}" for i in range(N)], name="patient_id")
    return pd.DataFrame(plain | columns, index=index)


def test_numbers_levels_and_long_tails_are_told_apart():
    tail = 10 ** np.linspace(0, 4, N)
    kinds, left_out = all_columns(table(afp_ng_ml=tail, hbv=[0.0, 1.0, 1.0, np.nan] * 10), "os")
    assert kinds["age_years"] == "linear"
    assert kinds["afp_ng_ml"] == "log"
    assert kinds["sex"] == ["female", "male"]
    assert kinds["hbv"] == ["1", "0"], "the most frequent level is the one compared with"
    assert left_out == {}


def test_identifiers_labels_dates_constants_and_what_came_after_are_left_out():
    strange = table(
        case_id=np.arange(N) * 7,
        patient_no=np.random.default_rng(1).permutation(N) + 1,
        surgery_date=[f"2021-05-{1 + i % 5:02d}" for i in range(N)],
        seen_on=[f"{1 + i % 5}.3.2020" for i in range(N)],
        diagnosis_year=2010 + np.arange(N) % 9,
        scanner=["A"] * N,
        remark=[f"text {i}" for i in range(N)],
        os_days=np.arange(N) + 1.0,
        rfs_event=[0, 1] * (N // 2),
        mvi=[0, 1] * (N // 2),
        mvi_grade=[0, 1, 2, 0] * (N // 4),
        recurrence_site=["liver", "lung"] * (N // 2),
        vital_status=["alive", "dead"] * (N // 2),
        time_to_relapse_months=np.arange(N) * 1.5,
        last_follow_up=np.arange(N) * 3.5,
        split="train",
        center=["I", "II"] * (N // 2),
        empty=np.nan,
    )
    kinds, left_out = all_columns(strange, "os")
    assert set(kinds) == {"age_years", "sex"}
    assert left_out["case_id"] == left_out["patient_no"] == "a name or a running number"
    assert left_out["surgery_date"] == left_out["seen_on"] == left_out["diagnosis_year"] == "a date"
    assert left_out["vital_status"] == left_out["last_follow_up"] == "it tells what came after"
    assert left_out["time_to_relapse_months"] == "it tells what came after"
    assert left_out["scanner"] == "the same for everybody"
    assert left_out["empty"] == "empty"


def test_what_tells_of_vascular_invasion_never_predicts_mvi():
    stage = table(stage=["I", "II"] * (N // 2), vascular_invasion=["none", "micro"] * (N // 2))
    assert set(all_columns(stage, "mvi")[0]) == {"age_years", "sex"}
    assert set(all_columns(stage, "os")[0]) == {"age_years", "sex", "stage"}


def test_rare_levels_are_one_and_a_rare_rest_counts_as_missing():
    cells = pd.Series(["A"] * 20 + ["B"] * 12 + ["C"] * 4 + ["D"] * 4)
    assert frequent_levels(cells) == ["A", "B", OTHER]
    few = pd.Series(["A"] * 20 + ["B"] * 16 + ["C"] * 4)
    assert frequent_levels(few) == ["A", "B"]
    new = pd.Series(["A", "C", "never seen", None])
    assert grouped(new, ["A", "B", OTHER]).fillna("missing").tolist() == [
        *("A", OTHER, OTHER, "missing")
    ]
    assert grouped(new, ["A", "B"]).isna().tolist() == [False, True, True, True]


def test_a_category_with_one_frequent_level_is_left_out():
    rare = table(etiology=["HBV"] * (N - 3) + ["HCV", "alcohol", "none"])
    kinds, left_out = all_columns(rare, "os")
    assert "etiology" not in kinds
    assert left_out["etiology"] == "no two levels with 5 patients"


def test_the_order_of_the_patients_does_not_matter():
    one = table(etiology=["HBV", "HCV", "none", "alcohol"] * (N // 4))
    assert all_columns(one, "os") == all_columns(one.iloc[::-1], "os")

"""The flow of patients adds up, and names reasons without naming patients."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_hcc.tables.cohort_flow_table import ANALYZED, EMPTIED, LEFT_OUT, SCREENED, cohort_flow

COLUMNS = ["patient_id", "step", "reason"]


def some_patients(number: int) -> pd.DataFrame:
    rows = range(number)
    return pd.DataFrame(
        {
            "patient_id": [f"P{place}" for place in rows],
            "center": ["A" if place % 2 else "B" for place in rows],
            "split": ["train" if place < number // 2 else "external" for place in rows],
            "os_days": [100.0 if place else float("nan") for place in rows],
            "os_event": [float(place % 2) if place else float("nan") for place in rows],
            "mvi": [float(place % 3 == 0) for place in rows],
        }
    )


@pytest.fixture
def flow():
    quarantine = [
        ("X1", "prepare", "patient X1, images/X1: no delayed phase. Add the file."),
        ("X2", "prepare", "patient X2, images/X2: no delayed phase. Add the file."),
        ("X2", "table", "patients.csv, line 3, column mvi: 7 is not 0 or 1"),
        ("P4", "table", "kept: patients.csv, line 6, column mvi: 7 is not 0 or 1; correct it"),
    ]
    return cohort_flow(some_patients(10), pd.DataFrame(quarantine, columns=COLUMNS))


def rows_of(flow, step):
    rows = flow[flow["Step"] == step]
    return list(rows[["Group", "Patients", "Detail"]].itertuples(index=False, name=None))


def test_screened_are_the_left_out_and_the_analyzed_each_patient_once(flow):
    assert rows_of(flow, SCREENED) == [("all", 12, "")]
    assert rows_of(flow, LEFT_OUT) == [("preparing the images", 2, "no delayed phase")]
    assert rows_of(flow, ANALYZED)[0] == ("all", 10, "OS events 5 of 9, MVI 4 of 10")


def test_the_analyzed_stand_by_split_and_center(flow):
    groups = {group: number for group, number, _ in rows_of(flow, ANALYZED)}
    assert groups == {
        "all": 10, "train": 5, "train, center A": 2, "train, center B": 3,
        "external": 5, "external, center A": 3, "external, center B": 2,
    }  # fmt: skip


def test_a_patient_who_stayed_with_an_emptied_value_is_not_left_out(flow):
    assert rows_of(flow, EMPTIED) == [
        ("reading the clinical table", 1, "column mvi: ... is not 0 or 1")
    ]


def test_without_a_quarantine_nobody_claims_to_know_who_was_screened():
    flow = cohort_flow(some_patients(4))
    assert SCREENED not in set(flow["Step"])
    assert "is not known" in flow.attrs["caption"]


@given(
    inside=st.integers(1, 30),
    left=st.lists(st.sampled_from(["no liver", "no tumor", "damaged file"]), max_size=20),
    kept=st.integers(0, 5),
)
def test_the_numbers_add_up_whatever_happened(inside, left, kept):
    rows = [(f"X{place}", "prepare", reason) for place, reason in enumerate(left)]
    rows += [(f"P{place}", "table", "kept: emptied") for place in range(min(kept, inside))]
    flow = cohort_flow(some_patients(inside), pd.DataFrame(rows, columns=COLUMNS, dtype=str))
    of_all = flow[flow["Group"] == "all"].set_index("Step")["Patients"]
    out = flow.loc[flow["Step"] == LEFT_OUT, "Patients"].sum()
    assert of_all[SCREENED] == out + of_all[ANALYZED] == len(left) + inside
    splits = flow[(flow["Step"] == ANALYZED) & flow["Group"].isin(["train", "external"])]
    assert splits["Patients"].sum() == inside

"""Endpoints and splits by counts: the numbers at which a rule turns."""

import pytest
from planned_cohort import plan_of, table_of

from mtl_hcc.errors import SplitError, TableError
from mtl_hcc.planning.counting import count_table, usable_covariates
from mtl_hcc.planning.measured import Counted, CountedTable
from mtl_hcc.planning.split_rules import (
    SplitPlan,
    check_some_endpoint,
    choose_split,
    refused_endpoints,
    train_share,
    without_validation,
)


def counts(events, *, patients=300, centers=None, by_split=None):
    """Return counts of OS where every patient has a label."""
    one = {"os": Counted(patients, patients, events)}
    centers = {
        name: {"os": Counted(size, size, dead)} for name, (size, dead) in (centers or {}).items()
    }
    by_split = {
        name: {"os": Counted(size, size, dead)} for name, (size, dead) in (by_split or {}).items()
    }
    return CountedTable(patients, one, centers, by_split)


@pytest.mark.parametrize(("events", "kind"), [(149, "folds"), (150, "random")])
def test_folds_are_made_where_one_validation_split_has_fewer_than_30_events(events, kind):
    chosen = choose_split(counts(events, centers={"A": (300, events)}), ["os"])
    assert chosen.value.kind == kind
    assert f"{0.2 * events:.0f} events of os" in chosen.why
    assert "one center only" in chosen.why


def test_the_rarest_endpoint_decides_about_folds():
    found = CountedTable(
        300, {"os": Counted(300, 300, 200), "mvi": Counted(300, 200, 60)}, {"A": {}}
    )
    assert choose_split(found, ["os", "mvi"]).value.kind == "folds"
    assert choose_split(found, ["os"]).value.kind == "random"


def test_the_largest_center_with_at_most_a_third_of_the_patients_is_proposed_as_external():
    centers = {"A": (180, 130), "B": (70, 50), "C": (50, 20)}
    chosen = choose_split(counts(200, centers=centers), ["os"])
    assert (chosen.value.kind, chosen.value.external) == ("center", "B")
    assert "B (70 patients, os 50)" in chosen.why
    assert "about 38 events" in chosen.why  # a quarter of the 150 of A and C


@pytest.mark.parametrize(("events", "learned"), [(16, 10), (15, 9)])
def test_the_center_is_held_out_of_folds_as_long_as_they_learn_from_10_events(events, learned):
    found = counts(events + 30, centers={"A": (200, events), "B": (100, 30)})
    chosen = choose_split(found, ["os"])
    assert chosen.value == SplitPlan("folds", "B" if learned >= 10 else "")
    if learned >= 10:
        assert "B (100 patients, os 30)" in chosen.why
        assert "one validation split would have 4 events" in chosen.why
        assert train_share(found, chosen.value) == pytest.approx(2 / 3 * 0.64)
    else:
        assert "a fold of the others would learn from 9 events of os" in chosen.why


def test_no_center_is_held_out_where_somebody_is_of_no_center():
    centers = {"A": (200, 80), "B": (90, 30), "unknown": (10, 5)}
    chosen = choose_split(counts(115, centers=centers), ["os"])
    assert chosen.value == SplitPlan("folds")
    assert "some patients are of no known center" in chosen.why


def test_no_center_is_held_out_that_has_few_events_itself():
    rare = choose_split(counts(200, centers={"A": (291, 191), "B": (9, 9)}), ["os"])
    assert rare.value.kind == "random"
    assert "none of the 2 centers" in rare.why


def test_the_column_of_the_table_is_followed_and_few_events_are_said():
    chosen = choose_split(counts(90, by_split={"validation": (60, 20), "train": (240, 70)}), ["os"])
    assert chosen.value.kind == "column"
    assert "train 240, validation 60" in chosen.why
    assert "20 of os; 30 are wanted" in chosen.why


def test_an_endpoint_with_nine_training_events_is_refused_with_the_number():
    assert refused_endpoints({"os": Counted(50, 50, 10)}) == {}
    (reason,) = refused_endpoints({"os": Counted(50, 50, 9)}).values()
    assert reason == "9 events in the training split, 10 are needed"
    (reason,) = refused_endpoints({"mvi": Counted(50, 40, 0)}).values()
    assert reason.startswith("0 patients of the rarer class")


def test_mvi_grade_gives_way_to_mvi_unless_mvi_is_refused():
    grade = Counted(200, 200, 20)
    assert list(refused_endpoints({"mvi": Counted(200, 200, 80), "mvi_grade": grade})) == [
        "mvi_grade"
    ]
    assert list(refused_endpoints({"mvi": Counted(200, 200, 8), "mvi_grade": grade})) == ["mvi"]


def test_an_endpoint_without_a_validation_event_is_refused_but_not_a_class():
    none = Counted(20, 18, 0)
    assert without_validation({"os": none, "mvi": none}) == {
        "os": "no event among the 18 labelled patients of the validation split"
    }


def test_without_any_endpoint_the_plan_ends_with_the_numbers():
    with pytest.raises(TableError, match="os: 3 events in the training split, 10 are needed"):
        check_some_endpoint(["os"], refused_endpoints({"os": Counted(9, 9, 3)}))
    with pytest.raises(TableError, match="0 events in the training split"):
        plan_of(table_of(40).assign(os_event=0.0))
    with pytest.raises(TableError, match="the table has none"):
        plan_of(table_of(40)[["center"]])


def test_events_are_counted_by_split_and_the_rarer_class_counts_for_mvi():
    table = table_of(10, split=["train"] * 6 + ["external"] * 4).assign(
        mvi=[1.0] * 7 + [0.0, 0.0, None]
    )
    found = count_table(table)
    assert found.endpoints["os"] == Counted(10, 10, 5)
    assert found.endpoints["mvi"] == Counted(10, 9, 2)
    assert found.by_split["train"]["os"].events == 3
    assert found.by_split["external"]["mvi"] == Counted(4, 3, 1)


def test_a_misspelt_split_is_told_before_any_count_of_events():
    split = ["Training"] * 80 + ["validation"] * 40
    with pytest.raises(SplitError, match="80 patients in split 'Training'"):
        plan_of(table_of(120, split=split))
    with pytest.raises(SplitError, match="no patient in split validation"):
        plan_of(table_of(120, split=["train"] * 80 + ["test"] * 40))


def test_the_external_center_is_in_no_other_split_and_the_others_are_dealt():
    center = ["A"] * 240 + ["B"] * 80
    plan = plan_of(table_of(320, every=2, center=center))
    assert plan.split.value.external == "B"
    splits = plan.splits.set_index("patient_id")["split"]
    assert set(splits[[c == "B" for c in center]]) == {"external"}
    assert splits.value_counts().to_dict() == {"train": 180, "external": 80, "validation": 60}
    assert plan.by_split["validation"]["os"].events == 30
    assert list(plan.by_split) == ["train", "validation", "external"]


def test_covariates_are_chosen_on_training_patients_and_never_stop_a_training():
    table = table_of(60)
    train = table.index[:40]
    table["afp_ng_ml"] = [10.0**number for number in [0, 1, 2, 3, 4]] * 12
    table["stage_tnm"] = ["I", "II"] * 30
    table["residual_tumor"] = ["R0", "R1"] * 30
    table["sex"] = ["male", "female"] * 29 + ["unknown", "male"]
    table["only_elsewhere"] = [None] * 40 + list(range(20))
    kinds, left_out = usable_covariates(table, train, ["os"])
    assert kinds["sex"] == ["female", "male", "unknown"], "all that somebody has"
    assert "residual" in left_out["residual_tumor"]
    assert left_out["only_elsewhere"]
    assert "only_elsewhere" not in kinds
    assert set(kinds) == {"age_years", "afp_ng_ml", "stage_tnm", "sex"}
    with_mvi, _ = usable_covariates(table.assign(mvi=table["os_event"]), train, ["os", "mvi"])
    assert set(with_mvi) == {"age_years", "afp_ng_ml", "sex"}

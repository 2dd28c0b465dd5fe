import pandas as pd
import pytest
from outcome_tables import outcome_table

from mtl_hcc.cohorts.source import describe
from mtl_hcc.data.splits import (
    KFold,
    LeaveCenterOut,
    RandomSplit,
    SingleSplit,
    SplitByCenter,
    SplitByColumn,
    SplitFile,
)
from mtl_hcc.data.splits.dealt_splits import STRATUM_COLUMNS, deal, joint_strata
from mtl_hcc.errors import ConfigError, SplitError

TABLE = outcome_table(200)


def test_strata_join_the_labels_and_show_gaps():
    table = pd.DataFrame({"os_event": [1.0, 0.0], "mvi": [None, 2.0]}, index=["a", "b"])
    assert joint_strata(table).tolist() == ["1-", "02"]


def test_parts_have_their_share_of_patients_and_of_every_stratum():
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    parts = deal(TABLE, fractions, seed=1)
    strata = joint_strata(TABLE)
    for part, share in fractions.items():
        assert (parts == part).sum() == round(share * 200)
        for stratum, size in strata.value_counts().items():
            assert abs(((parts == part) & (strata == stratum)).sum() - share * size) <= 2
        for column in STRATUM_COLUMNS:
            assert TABLE[column][parts == part].mean() == pytest.approx(
                TABLE[column].mean(), abs=0.08
            )


def test_the_seed_decides_who_goes_where():
    first, again, other = (deal(TABLE, {"a": 0.5, "b": 0.5}, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_in_k_fold_each_patient_is_tested_once_and_never_in_two_splits():
    splits = KFold(folds=5, validation_fraction=0.25, seed=3).assign(TABLE)
    assert splits.groupby("fold")["patient_id"].agg(["size", "nunique"]).eq(200).all(axis=None)
    tested = splits[splits["split"] == "test"]["patient_id"]
    assert sorted(tested) == sorted(TABLE.index)
    assert splits.groupby(["fold", "split"]).size().unstack().eq([40, 120, 40]).all(axis=None)
    for _, rows in splits.groupby(["fold", "split"]):
        events = TABLE.loc[rows["patient_id"], "os_event"]
        assert events.mean() == pytest.approx(TABLE["os_event"].mean(), abs=0.03)


def test_held_out_centers_are_external_in_every_fold_and_the_others_are_dealt_as_if_alone():
    split = KFold(folds=4, seed=3, hold_out=["VI"])
    splits = split.assign(TABLE)
    assert splits.groupby("fold")["patient_id"].agg(["size", "nunique"]).eq(200).all(axis=None)
    held = splits["patient_id"].map(TABLE["center"]) == "VI"
    assert splits["split"][held].eq("external").all()
    assert held.groupby(splits["fold"]).sum().eq((TABLE["center"] == "VI").sum()).all()
    alone = KFold(folds=4, seed=3).assign(TABLE[TABLE["center"] != "VI"])
    assert splits[~held].reset_index(drop=True).equals(alone)
    assert describe(split).startswith("KFold(folds=4, hold_out=['VI'], seed=3, ")


def test_each_center_is_the_test_of_one_fold_and_the_others_are_dealt_as_by_a_random_split():
    splits = LeaveCenterOut(validation_fraction=0.25, seed=3).assign(TABLE)
    centers = splits["patient_id"].map(TABLE["center"])
    assert splits.groupby("fold")["patient_id"].agg(["size", "nunique"]).eq(200).all(axis=None)
    for fold, center in enumerate(["I", "II", "VI"]):
        rows = splits[splits["fold"] == fold].set_index("patient_id")["split"]
        assert (centers[splits["fold"] == fold][splits["split"] == "test"] == center).all()
        rest = TABLE[TABLE["center"] != center]
        shares = {"train": 0.75, "validation": 0.25}
        expected = RandomSplit(fractions=shares, seed=3).assign(rest).set_index("patient_id")
        assert rows[rest.index].equals(expected["split"])
        assert rows.drop(rest.index).eq("test").all()
        events = TABLE.loc[rows.index[rows == "validation"], "os_event"]
        assert events.mean() == pytest.approx(rest["os_event"].mean(), abs=0.04)


def test_only_named_centers_are_left_out_and_the_others_are_always_learned_from():
    splits = LeaveCenterOut(centers=["VI", "I"]).assign(TABLE)
    centers = splits["patient_id"].map(TABLE["center"])
    tested = splits[splits["split"] == "test"].groupby("fold")["patient_id"].agg(set)
    assert tested.to_dict() == {
        fold: set(TABLE.index[TABLE["center"] == center]) for fold, center in enumerate(["I", "VI"])
    }
    assert set(splits["split"][centers == "II"]) == {"train", "validation"}


@pytest.mark.parametrize("split", [KFold(folds=3, hold_out=["VI"]), LeaveCenterOut()])
def test_new_patients_move_nobody_and_who_changed_the_center_is_dealt_anew(split):
    key = ["fold", "patient_id"]
    first = split.assign(TABLE.head(120))
    grown = split.renew(TABLE, first).set_index(key)["split"]
    before = first.set_index(key)["split"]
    assert (grown[before.index] == before).all()
    inside = TABLE.index[:120][TABLE["center"].head(120) == "VI"]
    moved = TABLE.assign(center=TABLE["center"].where(TABLE.index != inside[0], "I"))
    again = split.renew(moved, first).set_index(key)["split"]
    of_mover = again.xs(inside[0], level="patient_id")
    assert "external" not in set(of_mover)
    assert (of_mover == "test").sum() == 1
    if isinstance(split, LeaveCenterOut):
        assert of_mover[0] == "test", "with its new center"
    others = before.drop(index=inside[0], level="patient_id")
    assert (again[others.index] == others).all()


def test_a_center_keeps_its_dealing_when_another_comes_before_it():
    key, late = ["patient_id"], TABLE[TABLE["center"] != "I"]
    split = LeaveCenterOut(seed=1)
    first = split.assign(late)  # II is fold 0
    now = split.renew(TABLE, first)
    for center, was, number in (("II", 0, 1), ("VI", 1, 2)):
        earlier = first[first["fold"] == was].set_index(key)["split"]
        later = now[now["fold"] == number].set_index(key)["split"]
        assert later[earlier.index].equals(earlier), center
    assert now[now["fold"] == 0].set_index(key)["split"][late.index].ne("test").all()


def test_centers_that_cannot_be_left_out_are_named():
    for split, setting in (
        (KFold(hold_out=["III"]), "hold_out"),
        (LeaveCenterOut(centers=["I", "III"]), "centers"),
    ):
        message = rf"data.split.{setting}: center 'III' is unknown. Expected some of I, II, VI"
        with pytest.raises(SplitError, match=message):
            split.assign(TABLE)
    with pytest.raises(SplitError, match=r"center 'VI' twice"):
        KFold(hold_out=["VI", "VI"]).assign(TABLE)
    with pytest.raises(SplitError, match=r"all 67 patients are of center I\. Expected two centers"):
        LeaveCenterOut().assign(TABLE[TABLE["center"] == "I"])
    with pytest.raises(SplitError, match=r"5 folds for 0 patients outside of I, II, VI"):
        KFold(hold_out=["I", "II", "VI"]).assign(TABLE)
    unknown = TABLE.assign(center=TABLE["center"].where(TABLE.index != "P007", "unknown"))
    for split in (LeaveCenterOut(), KFold(hold_out=["VI"])):
        with pytest.raises(SplitError, match=r"1 patients without a center, the first P007"):
            split.assign(unknown)
    assert len(KFold(folds=2).assign(unknown)) == 400, "where centers play no part"


def test_more_folds_than_patients_is_an_error_that_names_both():
    with pytest.raises(SplitError, match="12 folds for 10 patients"):
        KFold(folds=12).assign(TABLE.head(10))


def test_random_split_gives_one_fold():
    splits = RandomSplit(fractions={"train": 0.5, "validation": 0.5}).assign(TABLE)
    assert splits["fold"].eq(0).all()
    assert splits["split"].value_counts().to_dict() == {"train": 100, "validation": 100}


def test_shares_must_sum_to_one():
    with pytest.raises(ConfigError, match=r"sum to 0\.9"):
        RandomSplit(fractions={"train": 0.5, "validation": 0.4})


def test_by_column_takes_the_values_of_the_column():
    table = TABLE.head(3).assign(part=["train", " validation", "external"])
    splits = SplitByColumn(column="part").assign(table)
    assert splits["split"].tolist() == ["train", "validation", "external"]


def test_a_missing_split_column_and_an_empty_cell_are_named():
    with pytest.raises(SplitError, match="no column 'split'"):
        SplitByColumn().assign(TABLE)
    table = TABLE.head(3).assign(split=["train", None, "validation"])
    with pytest.raises(SplitError, match="patient P001, column split: 1 patients without a split"):
        SplitByColumn().assign(table)


def test_by_center_moves_whole_centers():
    splits = SplitByCenter(train=["I"], validation=["II"], external=["VI"]).assign(TABLE)
    found = splits.groupby(TABLE["center"].to_numpy())["split"].unique().map(list).to_dict()
    assert found == {"I": ["train"], "II": ["validation"], "VI": ["external"]}


def test_unknown_doubled_and_forgotten_centers_are_named():
    with pytest.raises(SplitError, match=r"unknown center 'III'.*one of I, II, VI"):
        SplitByCenter(train=["I"], validation=["III"]).assign(TABLE)
    with pytest.raises(SplitError, match="center 'I' in both train and validation"):
        SplitByCenter(train=["I"], validation=["I"]).assign(TABLE)
    with pytest.raises(SplitError, match="center 'VI' in no split"):
        SplitByCenter(train=["I"], validation=["II"]).assign(TABLE)


def test_a_split_file_is_followed_and_a_patient_without_line_is_named(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("patient_id,split\nP000,train\nP001,validation\nP999,train\n")
    splits = SplitFile(path=str(path)).assign(TABLE.head(2))
    assert splits[["patient_id", "split"]].to_numpy().tolist() == [
        ["P000", "train"],
        ["P001", "validation"],
    ]
    with pytest.raises(SplitError, match=r"patient P002: 1 patients .* without a split in fold 0"):
        SplitFile(path=str(path)).assign(TABLE.head(3))


def test_a_single_split_holds_everybody():
    assert SingleSplit(name="external").assign(TABLE)["split"].eq("external").all()


def test_a_split_describes_itself_with_its_settings():
    assert describe(KFold(folds=3)) == "KFold(folds=3, seed=0, validation_fraction=0.2)"

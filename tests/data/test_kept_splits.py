import pytest
from outcome_tables import outcome_table

from mtl_hcc.data.splits import KFold, RandomSplit, SplitByCenter, SplitByColumn, SplitFile
from mtl_hcc.data.splits.kept_splits import begin_run, keep_splits, run_splits
from mtl_hcc.data.splits.splits_csv import read_splits, splits_file_of, write_splits
from mtl_hcc.errors import SplitError

TABLE = outcome_table(30)


def test_splits_come_back_as_written_and_nothing_else_is_left(tmp_path):
    splits = KFold(folds=3).assign(TABLE)
    write_splits(splits, tmp_path / "splits.csv", made_by="somebody")
    assert read_splits(tmp_path / "splits.csv").equals(splits)
    assert [path.name for path in tmp_path.iterdir()] == ["splits.csv"]


def test_one_patient_in_two_splits_is_named_with_both(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("patient_id,split\n001,train\n002,train\n001,external\n")
    with pytest.raises(SplitError, match=r"patient 001.*2 times in fold 0: train and external"):
        read_splits(path)


def test_an_empty_cell_is_named_by_its_line(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("# made by hand\npatient_id,split\nP1,train\nP2,\n")
    with pytest.raises(SplitError, match="line 4: an empty cell"):
        read_splits(path)


def test_a_lacking_column_and_an_absent_file_are_named(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("patient,split\nP1,train\n")
    with pytest.raises(SplitError, match="no column patient_id"):
        read_splits(path)
    with pytest.raises(SplitError, match="no such file"):
        read_splits(tmp_path / "absent.csv")


def test_the_same_settings_and_patients_reuse_the_file_even_if_changed_by_hand(tmp_path):
    path = tmp_path / "splits.csv"
    split = RandomSplit(fractions={"train": 0.5, "validation": 0.5})
    keep_splits(split, TABLE, path)
    path.write_text(path.read_text().replace(",validation", ",external"))
    assert set(keep_splits(split, TABLE, path)["split"]) == {"train", "external"}


def test_other_settings_or_other_patients_make_new_splits(tmp_path):
    path = tmp_path / "splits.csv"
    keep_splits(RandomSplit(), TABLE, path)
    assert set(keep_splits(KFold(folds=2), TABLE, path)["fold"]) == {0, 1}
    fewer = keep_splits(KFold(folds=2), TABLE.head(20), path)
    assert set(fewer["patient_id"]) == set(TABLE.index[:20])


def by_column(**moved):
    """Return a table whose column says who trains, some patients moved."""
    split = ["train"] * 20 + ["validation"] * 5 + ["external"] * 5
    table = TABLE.assign(split=split)
    for name, where in moved.items():
        table.loc[name, "split"] = where
    return table


def kept(split, table, path):
    return keep_splits(split, table, path).set_index("patient_id")["split"]


def test_a_patient_moved_in_the_column_is_moved_and_named(tmp_path, capsys):
    path = tmp_path / "splits.csv"
    assert kept(SplitByColumn(), by_column(), path)["P003"] == "train"
    assert capsys.readouterr().out == "", "the first time there is nothing to say"
    assert kept(SplitByColumn(), by_column(P003="external"), path)["P003"] == "external"
    assert read_splits(path).set_index("patient_id")["split"]["P003"] == "external"
    assert capsys.readouterr().out == (
        f"{path} is made anew. 1 patient is in another split: P003 (train -> external).\n"
    )
    keep_splits(SplitByColumn(), by_column(P003="external"), path)
    assert capsys.readouterr().out == ""


def test_another_center_moves_the_patient(tmp_path, capsys):
    path, table = tmp_path / "splits.csv", TABLE.assign(center=["I"] * 20 + ["II"] * 10)
    split = SplitByCenter(train=["I"], validation=["II"])
    keep_splits(split, table, path)
    table.loc["P000", "center"] = "II"
    assert kept(split, table, path)["P000"] == "validation"
    assert "P000 (train -> validation)" in capsys.readouterr().out


def test_another_content_of_a_split_file_moves_the_patient(tmp_path, capsys):
    mine, path = tmp_path / "mine.csv", tmp_path / "splits.csv"
    rows = RandomSplit().assign(TABLE).set_index("patient_id")["split"]
    rows.to_csv(mine)
    before = kept(SplitFile(path=str(mine)), TABLE, path)
    (moved, *_) = before.index[before == "train"]
    rows[moved] = "external"
    rows.to_csv(mine)
    assert kept(SplitFile(path=str(mine)), TABLE, path)[moved] == "external"
    assert f"{moved} (train -> external)" in capsys.readouterr().out


@pytest.mark.parametrize("split", [RandomSplit(), KFold(folds=3), SplitByColumn(otherwise=KFold())])
def test_new_patients_are_dealt_and_the_others_stay_where_chance_decides(split, tmp_path, capsys):
    path, key = tmp_path / "splits.csv", ["patient_id", "fold"]
    first = keep_splits(split, TABLE.head(20), path).set_index(key)["split"]
    later = TABLE.assign(os_event=1 - TABLE["os_event"])  # corrected labels move nobody either
    grown = keep_splits(split, later, path).set_index(key)["split"]
    assert (grown[first.index] == first).all()
    assert set(grown.index.get_level_values("patient_id")) == set(TABLE.index)
    said = capsys.readouterr().out
    assert "10 patients are new: P020 (" in said
    assert "another split" not in said
    expected = split.assign(TABLE).groupby(["fold", "split"]).size()
    sizes = grown.reset_index().groupby(["fold", "split"]).size()
    assert (sizes - expected).abs().max() <= 1, "the shares are those of dealing all at once"


def test_who_left_is_named_and_the_others_stay(tmp_path, capsys):
    path = tmp_path / "splits.csv"
    first = kept(RandomSplit(), TABLE, path)
    left = kept(RandomSplit(), TABLE.drop(index="P004"), path)
    assert left.equals(first.drop(index="P004"))
    assert "1 patient is gone: P004." in capsys.readouterr().out


def test_other_settings_are_said_with_who_moves(tmp_path, capsys):
    path = tmp_path / "splits.csv"
    first = kept(RandomSplit(), TABLE, path)
    other = kept(RandomSplit(seed=1), TABLE, path)
    said = capsys.readouterr().out
    assert "Data.split was RandomSplit(fractions=" in said
    assert "seed=0) and is RandomSplit(" in said
    assert f"{(first != other).sum()} patients are in another split: " in said


def test_a_run_goes_on_with_the_splits_it_began_with_or_not_at_all(tmp_path, capsys):
    path = tmp_path / "run" / "splits.csv"
    table, split = by_column(), SplitByColumn()
    begin_run(split, table, split.assign(table), path, goes_on=False)
    begin_run(split, table, split.assign(table), path, goes_on=True)
    moved = by_column(P003="external")
    with pytest.raises(SplitError) as caught:
        begin_run(split, moved, split.assign(moved), path, goes_on=True)
    for part in (str(path), "P003 (train -> external)", "tested on patients", "leave out --ckpt"):
        assert part in str(caught.value)
    assert read_splits(path)["split"].tolist() == table["split"].tolist(), "nothing was written"
    for other in (table.drop(index="P003"), TABLE.assign(split="train").rename({"P003": "X"})):
        with pytest.raises(SplitError, match="P003"):
            run_splits(split, other, path)
    with pytest.raises(SplitError, match="in another split: P0"):
        run_splits(RandomSplit(seed=5), table, path)


def test_a_run_split_at_random_goes_on_with_corrected_labels_but_not_with_new_patients(tmp_path):
    path, split = tmp_path / "splits.csv", KFold(folds=3)
    few = TABLE.head(20)
    begin_run(split, few, split.assign(few), path, goes_on=False)
    assert run_splits(split, few.assign(os_event=1.0), path).equals(split.assign(few))
    with pytest.raises(SplitError, match="10 patients are new: P020"):
        run_splits(split, TABLE, path)


def test_a_run_without_its_splits_says_that_they_cannot_be_checked(tmp_path, capsys):
    path = tmp_path / "splits.csv"
    begin_run(RandomSplit(), TABLE, RandomSplit().assign(TABLE), path, goes_on=True)
    assert "cannot be checked" in capsys.readouterr().out
    assert path.is_file()


def test_the_splits_of_a_model_are_those_of_its_run(tmp_path):
    run = tmp_path / "runs" / "study"
    for place in ("model", "checkpoints", "fold_1/model", "fold_1/checkpoints"):
        (run / place).mkdir(parents=True)
    (tmp_path / "runs" / "splits.csv").write_text("of somebody else")
    assert splits_file_of(run) is None
    for name in ("splits.csv", "config.yaml"):
        (run / name).write_text("")
    (run / "fold_1" / "model" / "config.yaml").write_text("")
    for model in (
        *("", "model", "checkpoints/best.ckpt"),
        *("fold_1", "fold_1/model", "fold_1/checkpoints/best.ckpt"),
    ):
        assert splits_file_of(run / model) == run / "splits.csv"

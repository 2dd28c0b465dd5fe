import pytest
from outcome_tables import outcome_table

from mtl_hcc.data.split_file import keep_splits, read_splits, write_splits
from mtl_hcc.data.splits import KFold, RandomSplit
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

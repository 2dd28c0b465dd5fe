import numpy as np
import pytest
from outcome_tables import outcome_table

from mtl_hcc.data.splits import RandomSplit
from mtl_hcc.data.splits.split_checks import check_splits
from mtl_hcc.errors import SplitError, TableError

TABLE = outcome_table(60)
SPLITS = RandomSplit().assign(TABLE).set_index("patient_id")["split"]


def test_a_stratified_split_passes():
    check_splits(SPLITS, TABLE, ["os", "rfs", "mvi"])


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_without_events_is_named_with_its_endpoint(split):
    table = TABLE.copy()
    table.loc[SPLITS[split == SPLITS].index, "rfs_event"] = 0
    with pytest.raises(SplitError, match=f"no event of rfs among .* in split {split}"):
        check_splits(SPLITS, table, ["os", "rfs"])
    check_splits(SPLITS, table, ["os"])


def test_another_split_may_lack_events():
    table = TABLE.copy()
    table.loc[SPLITS[SPLITS == "test"].index, "os_event"] = 0
    check_splits(SPLITS, table, ["os"])


def test_a_cohort_where_everybody_is_censored_says_so():
    with pytest.raises(SplitError, match="every patient is censored"):
        check_splits(SPLITS, TABLE.assign(os_event=0.0), ["os"])


def test_one_class_only_and_no_label_at_all_are_told_apart():
    with pytest.raises(SplitError, match="only class 1 among the 36 patients of split train"):
        check_splits(SPLITS, TABLE.assign(mvi=1.0), ["mvi"])
    with pytest.raises(SplitError, match="no label among"):
        check_splits(SPLITS, TABLE.assign(mvi=np.nan), ["mvi"])


def test_a_split_without_patients_tells_which_there_are():
    with pytest.raises(SplitError, match=r"no patient in split validation \(found: train 60\)"):
        check_splits(SPLITS.map(lambda _: "train"), TABLE, ["os"])


def test_an_endpoint_without_column_is_named():
    with pytest.raises(TableError, match="no column mvi_grade"):
        check_splits(SPLITS, TABLE, ["mvi_grade"])


@pytest.mark.parametrize(("name", "meant"), [("Training", "train"), ("val", "validation")])
def test_patients_in_a_misspelt_split_are_not_left_out_in_silence(name, meant):
    """A few of the train patients are called otherwise: they would not be trained on."""
    named = SPLITS.copy()
    named.iloc[:4] = name
    with pytest.raises(SplitError, match=f"4 patients in split '{name}'") as caught:
        check_splits(named, TABLE, ["os"])
    assert f"Expected {meant}, if they are to be used in the training" in str(caught.value)


def test_a_test_set_of_any_name_is_no_error():
    check_splits(SPLITS.replace({"test": "Test set"}), TABLE, ["os"])

import numpy as np
import pytest
from outcome_tables import outcome_table

from mtl_hcc.data.split_checks import check_splits
from mtl_hcc.data.splits import RandomSplit
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

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.data.endpoints import check_columns, event_flags, target_columns
from mtl_hcc.errors import ConfigError, TableError


def test_survival_endpoints_need_time_and_event_and_classes_one_column():
    assert target_columns(["os", "mvi"]) == ["os_days", "os_event", "mvi"]


def test_an_unknown_endpoint_is_named():
    with pytest.raises(ConfigError, match=r"unknown endpoint 'pfs'.*one of os, rfs, mvi"):
        target_columns(["pfs"])


def test_a_lacking_column_is_named_with_its_endpoint():
    with pytest.raises(TableError, match="no column rfs_event, which endpoint 'rfs' needs"):
        check_columns(pd.DataFrame({"rfs_days": [1.0]}), ["rfs"])


def test_an_event_needs_both_time_and_event_label():
    table = pd.DataFrame(
        {"os_days": [5.0, np.nan, 5.0, 5.0], "os_event": [1.0, 1.0, 0.0, np.nan]},
        index=list("abcd"),
    )
    assert event_flags(table, "os").tolist() == [True, False, False, False]
    assert not event_flags(table, "rfs").any()


def test_a_class_above_zero_counts_as_event():
    table = pd.DataFrame({"mvi_grade": [0, 1, 2, np.nan]})
    assert event_flags(table, "mvi_grade").tolist() == [False, True, True, False]

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.hazard_ratio import logrank


def test_several_groups_equal_r(patients, found_by_r):
    chi_square, degrees, p = logrank(patients["time"], patients["event"], patients["group"])
    expected = found_by_r("logrank groups")
    assert chi_square == pytest.approx(expected["chi"])
    assert p == pytest.approx(expected["p"])
    assert degrees == len(found_by_r("logrank expected")) - 1


def test_two_groups_equal_r(patients, found_by_r):
    found = logrank(patients["time"], patients["event"], patients["high"])
    assert found[2] == pytest.approx(found_by_r("logrank two")["p"])


cohorts = st.lists(
    st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 2)), min_size=4, max_size=40
)


@settings(deadline=None, max_examples=100)
@given(cohorts)
def test_it_does_not_depend_on_the_groups_names_or_the_patients_order(rows):
    time, event, group = (np.array(column) for column in zip(*rows, strict=True))
    try:
        first = logrank(time, event, group)
    except NotComputableError:
        assume(False)
    renamed = logrank(time[::-1], event[::-1], np.array(["z", "a", "m"])[group[::-1]])
    assert renamed == pytest.approx(first, abs=1e-9)
    assert 0 <= first[2] <= 1


@pytest.mark.parametrize(
    ("time", "event", "group", "reason"),
    [
        ([1, 2], [1, 1], [0, 0], "all patients are in one"),
        ([1, 2], [0, 0], [0, 1], "no event"),
        ([1, 2, 3], [1, 0, 1], [0, 0, 1], "never at risk together"),
    ],
)
def test_a_test_that_is_not_possible_says_why(time, event, group, reason):
    if reason == "never at risk together":
        time, event = [1, 1, 3], [0, 0, 1]
    with pytest.raises(NotComputableError, match=reason):
        logrank(time, event, group)


def test_what_rounding_leaves_of_no_variance_is_not_taken_for_a_test():
    time = [1, *[5] * 52, *range(6, 13)]  # the one of the other group leaves before all events
    with pytest.raises(NotComputableError, match="never at risk together"):
        logrank(time, [0] + [1] * 59, [1] + [0] * 59)

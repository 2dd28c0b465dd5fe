import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_hcc.tables.nomogram_points import central_range, powers_of_ten, round_values, spanning


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_round_values_span_the_range_in_a_few_steps(low, width):
    marks = round_values(low, low + width)
    steps = np.diff(marks)
    assert marks[0] <= low + 1e-6 * width
    assert marks[-1] >= low + width - 1e-6 * width
    assert 2 <= len(marks) <= 10
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4, atol=1e-9)


def test_a_single_value_still_has_an_axis():
    assert round_values(3.0, 3.0) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.0, 700.0, (1, 10, 100, 1000)), (0.6, 4.0, (0.5, 1, 2, 5)), (1.0, 100.0, (1, 10, 100))],
)
def test_logarithms_are_marked_at_powers_of_ten(low, high, expected):
    assert powers_of_ten(low, high) == pytest.approx(expected)


def test_marks_reach_just_beyond_the_range():
    assert spanning((0.01, 0.1, 0.5, 0.9), 0.2, 0.6) == (0.1, 0.5, 0.9)
    assert spanning((0.01, 0.1, 0.5, 0.9), 0.001, 0.999) == (0.01, 0.1, 0.5, 0.9)


def test_the_central_range_is_that_of_rms():
    values = np.arange(1001.0)  # 10 of 1,001 patients at each end
    assert central_range(values) == pytest.approx((9.99, 990.01), abs=0.02)
    assert central_range([1.0, np.nan, 3.0]) == pytest.approx((1.1, 2.9))

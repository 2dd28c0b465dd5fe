import numpy as np
import pytest
from drawing import in_hu
from hypothesis import given
from hypothesis import strategies as st

from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.intensity import Percentiles, Window, to_unit


def test_percentiles_are_numpys_and_a_constant_region_has_none():
    values = np.arange(1001, dtype=np.int16)
    assert Percentiles().range_of(values) == (25.0, 975.0)
    assert Percentiles(low=10, high=50).range_of(values) == (100.0, 500.0)
    assert Percentiles().range_of(np.full(9, 40.0)) is None
    assert Percentiles().range_of(np.empty(0)) is None


def test_a_window_is_the_same_for_everybody_but_not_for_a_constant_image():
    window = Window(low=-50, high=200)
    assert window.range_of(np.array([0.0, 1.0])) == (-50, 200)
    assert window.range_of(np.array([900.0, 901.0])) == (-50, 200)
    assert window.range_of(np.full(9, 40.0)) is None
    assert window.range_of(np.empty(0)) is None


@pytest.mark.parametrize("wrong", [(97.5, 2.5), (-1, 50), (5, 101), (5, 5), (float("nan"), 9)])
def test_percentiles_that_do_not_rise_are_named(wrong):
    with pytest.raises(ConfigError, match="two rising numbers from 0 to 100"):
        Percentiles(low=wrong[0], high=wrong[1])


@pytest.mark.parametrize("wrong", [(250, -100), (0, 0), (0, float("inf")), (float("nan"), 9)])
def test_a_window_that_does_not_rise_is_named(wrong):
    with pytest.raises(ConfigError, match="two rising numbers in HU"):
        Window(low=wrong[0], high=wrong[1])


@given(low=st.floats(-1000, 1000), width=st.floats(1, 2000), share=st.floats(-1, 2))
def test_hu_come_back_within_half_precision_where_they_were_not_clipped(low, width, share):
    values = np.array([low + share * width], dtype=np.float32)
    back = in_hu(to_unit(values, low, low + width), low, low + width)
    expected = np.clip(values, low, low + width)
    assert abs(back - expected)[0] <= width * 2**-11 + 1e-3

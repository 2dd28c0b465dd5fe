import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtl_hcc.imaging.intensity import clip_range, to_hu, to_unit


def test_percentiles_are_numpys_and_a_constant_region_has_none():
    values = np.arange(1001, dtype=np.int16)
    assert clip_range(values, (2.5, 97.5)) == (25.0, 975.0)
    assert clip_range(np.full(9, 40.0), (2.5, 97.5)) is None
    assert clip_range(np.empty(0), (2.5, 97.5)) is None


@given(low=st.floats(-1000, 1000), width=st.floats(1, 2000), share=st.floats(-1, 2))
def test_hu_come_back_within_half_precision_where_they_were_not_clipped(low, width, share):
    values = np.array([low + share * width], dtype=np.float32)
    back = to_hu(to_unit(values, low, low + width), low, low + width)
    expected = np.clip(values, low, low + width)
    assert abs(back - expected)[0] <= width * 2**-11 + 1e-3

import pytest

from mtl_hcc.tables.printed_numbers import p_text, value_text

NAN = float("nan")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.712, 0.6, 0.824), "0.71 (0.60-0.82)"),
        ((-0.03, -0.1, 0.04), "-0.03 (-0.10 to 0.04)"),
        ((48.2, 8.64, 269.4), "48.20 (8.64-269)"),
        ((1.0, 0.0, 3.2e7), "1.00 (0.00-3e7)"),
        ((0.5, NAN, NAN), "0.50"),
        ((NAN, NAN, NAN), ""),
    ],
)
def test_a_value_stands_with_its_interval(numbers, expected):
    assert value_text(*numbers) == expected


def test_small_p_values_are_not_zero():
    assert [p_text(p) for p in (0.0003, 0.0341, 1.0, NAN)] == ["<0.001", "0.034", "1.000", ""]

import pytest
from one_view import one_view

from mtl_hcc.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"spacing_mm": 0}, "spacing_mm"),
        ({"spacing_mm": float("nan")}, "spacing_mm"),
        ({"field_of_view_mm": -1}, "field_of_view_mm"),
        ({"spacing_mm": 0.1, "field_of_view_mm": 500}, "at most 1024"),
        ({"margin_mm": -1}, "zones.margin"),
        ({"clip_percentiles": (97.5, 2.5)}, "percentiles 97.5 and 2.5"),
        ({"phases": ["portal"]}, "'portal'"),
        ({"phases": []}, "at least one phase"),
        ({"phases": ["arterial", "arterial"]}, "each phase once"),
        ({"center_on": "spleen"}, "tumor or liver or loat"),
        ({"registration": "elastic"}, "none or rigid"),
    ],
)
def test_a_wrong_value_is_named(setting, named):
    with pytest.raises(ConfigError, match=named):
        one_view(**setting)


def test_the_fingerprint_tells_recipes_apart_and_lists_from_tuples_not():
    assert one_view().fingerprint() == one_view(clip_percentiles=[2.5, 97.5]).fingerprint()
    assert one_view().fingerprint() != one_view(margin_mm=3).fingerprint()
    assert one_view(phases=["arterial", "delayed"]) != one_view(phases=["delayed", "arterial"])

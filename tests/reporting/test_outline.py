"""Where a figure or table stands, and that every kind of figure is explained."""

import pytest

from mtl_hcc import figures, tables
from mtl_hcc.figures import FIGURES
from mtl_hcc.reporting.outline import REST, SECTIONS, how_to_read, section_of
from mtl_hcc.tables import TABLES


@pytest.mark.parametrize(
    ("name", "anchor"),
    [
        ("kaplan_meier", "discrimination"),
        ("roc_at_horizons", "discrimination"),
        ("forest_by_center", "centers"),
        ("forest_regression", "regression"),
        ("cumulative_incidence", "competing"),
        ("calibration_groups", "calibration"),
        ("table_one_by_center", "patients"),
        ("against_baselines", "comparisons"),
        ("ablation", "ablation"),
        ("somebody_s_new_figure", REST),
    ],
)
def test_a_name_finds_its_section(name, anchor):
    assert section_of(name) == anchor


def test_all_that_is_registered_has_a_section_of_its_own_kind():
    assert [name for name in [*FIGURES, *TABLES] if section_of(name) == REST] == []


def test_every_section_that_is_named_exists():
    anchors = {section.anchor for section in SECTIONS}
    assert {one.section for one in (*figures.REGISTERED, *tables.REGISTERED)} <= anchors


def test_every_figure_says_how_to_read_it():
    assert [name for name in FIGURES if not how_to_read(name)] == []


def test_sections_are_in_the_order_of_a_paper():
    anchors = [section.anchor for section in SECTIONS]
    expected = ["results", "flow", "patients", "discrimination", "calibration", "decision"]
    assert [anchor for anchor in anchors if anchor in expected] == expected
    assert anchors[-1] == "tripod"
    assert len(anchors) == len(set(anchors))

import pytest

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.covariates.reader import level_text


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("afp_ng_ml", "AFP (ng/mL)"),
        ("platelets_10e9_l", "Platelets (10^9/L)"),
        ("bilirubin_mg_dl", "Bilirubin (mg/dL)"),
        ("tumor_diameter_mm", "Tumor diameter (mm)"),
        ("loat_area_mm2", "LOAT area (mm²)"),
        ("age_years", "Age (years)"),
        ("child_pugh", "Child-Pugh"),
        ("bclc_stage", "BCLC stage"),
        ("inr", "INR"),
        ("mm", "Mm"),
        ("Tumor Size", "Tumor Size"),
    ],
)
def test_a_column_is_named_with_its_unit(column, expected):
    assert readable_name(column) == expected


def test_levels_are_whole_numbers_beside_gaps():
    assert [level_text(level) for level in (1.0, 1.5, " A ", True)] == ["1", "1.5", "A", "True"]

"""How columns are called in print: ``afp_ng_ml`` becomes *AFP (ng/mL)*."""

import re

UNITS = {
    "ng_ml": "ng/mL",
    "ug_l": "µg/L",
    "mg_dl": "mg/dL",
    "mg_l": "mg/L",
    "g_dl": "g/dL",
    "g_l": "g/L",
    "umol_l": "µmol/L",
    "mmol_l": "mmol/L",
    "u_l": "U/L",
    "iu_ml": "IU/mL",
    "mau_ml": "mAU/mL",
    "10e9_l": "10^9/L",
    "10e12_l": "10^12/L",
    "kg_m2": "kg/m²",
    "mm2": "mm²",
    "cm2": "cm²",
    "mm3": "mm³",
    "cm3": "cm³",
    "ml": "mL",
    "mm": "mm",
    "cm": "cm",
    "kg": "kg",
    "days": "days",
    "months": "months",
    "years": "years",
    "seconds": "s",
    "percent": "%",
    "hu": "HU",
}
"""Suffix of a column's name to the unit in print; the longest that fits counts."""
WORDS = {
    "mri": "MRI",
    "ct": "CT",
    "afp": "AFP",
    "ajcc": "AJCC",
    "albi": "ALBI",
    "alt": "ALT",
    "asa": "ASA",
    "ast": "AST",
    "bclc": "BCLC",
    "bmi": "BMI",
    "cea": "CEA",
    "child": "Child",
    "dcp": "DCP",
    "ecog": "ECOG",
    "ggt": "GGT",
    "hbv": "HBV",
    "hcc": "HCC",
    "hcv": "HCV",
    "inr": "INR",
    "loat": "LOAT",
    "meld": "MELD",
    "mvi": "MVI",
    "os": "OS",
    "pivka": "PIVKA",
    "pugh": "Pugh",
    "rfs": "RFS",
    "tnm": "TNM",
}
"""Words that are not written in small letters."""
NAMES = {
    "child_pugh": "Child-Pugh",
    "hepatitis_b": "Hepatitis B",
    "hepatitis_c": "Hepatitis C",
    "ajcc_t": "AJCC T",
    "ajcc_n": "AJCC N",
    "ajcc_m": "AJCC M",
}
"""Columns whose name is not put together from its words."""


def readable_name(column: str) -> str:
    """Return the name of a column for print, its unit in parentheses.

    Args:
        column: As in ``patients.csv``.

    Example:
        >>> [readable_name(name) for name in ("afp_ng_ml", "tumor_diameter_mm", "bclc_stage")]
        ['AFP (ng/mL)', 'Tumor diameter (mm)', 'BCLC stage']
    """
    name, unit = split_unit(column)
    text = NAMES.get(name) or _sentence(name)
    return f"{text} ({unit})" if unit else text


def split_unit(column: str) -> tuple[str, str]:
    """Return the column's name without the suffix of its unit, and the unit in print (or "").

    Example:
        >>> split_unit("platelets_10e9_l"), split_unit("sex")
        (('platelets', '10^9/L'), ('sex', ''))
    """
    for suffix in sorted(UNITS, key=len, reverse=True):
        name = column.removesuffix(f"_{suffix}")
        if name and name != column:
            return name, UNITS[suffix]
    return column, ""


def _sentence(name: str) -> str:
    """Return words with the first letter in capitals; words that hold capitals are kept."""
    words = [WORDS.get(word, word) for word in re.split(r"[_\s]+", name) if word]
    text = " ".join(words) or name
    return text if text[:1].isupper() else text[:1].upper() + text[1:]

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtl_hcc.reporting.blocks import table_block
from mtl_hcc.reporting.figure_files import TableFile
from mtl_hcc.tables import TABLES
from mtl_hcc.tables.table_one import table_one_by_center, table_one_by_mvi


def rows_of(table):
    return table.set_index(["Characteristic", "Level"])


def test_numbers_are_means_or_medians_and_categories_shares(patients):
    table = rows_of(table_one_by_center(patients))
    inside = patients[patients["center"] == "III"]
    age, afp = inside["age_years"], inside["afp_ng_ml"]
    assert table.loc[("Age (years)", ""), "III"] == f"{age.mean():.1f} ({age.std():.1f})"
    low, middle, high = afp.quantile([0.25, 0.5, 0.75])
    assert table.loc[("AFP (ng/mL)", ""), "III"] == f"{middle:.1f} [{low:.1f},{high:.1f}]"
    infected = inside["hepatitis_b"]
    share = f"{infected.sum():.0f} ({100 * infected.mean():.1f})"
    assert table.loc[("Hepatitis B", "yes"), "III"] == share
    assert ("Hepatitis B", "no") not in table.index
    assert table.loc[("Patients", ""), ["Overall", "I", "IV"]].tolist() == ["330", "160", "90"]
    assert table.loc[("AFP (ng/mL)", ""), "Missing"] == "2"


def test_events_and_follow_up_have_no_p(patients):
    table = rows_of(table_one_by_center(patients))
    events = patients.groupby("center")["os_event"]
    said = [
        f"{n:.0f} ({100 * share:.1f})" for n, share in zip(events.sum(), events.mean(), strict=True)
    ]
    assert table.loc[("OS events", ""), ["I", "II", "III", "IV"]].tolist() == said
    assert table.loc[("OS events", ""), "P-value"] == ""
    known = patients["mvi"].dropna()
    assert (
        table.loc[("MVI present", ""), "Overall"] == f"{known.sum():.0f} ({100 * known.mean():.1f})"
    )
    assert float(table.loc[("OS follow-up (days)", ""), "IV"]) > 300


def test_a_center_without_a_known_outcome_has_neither_events_nor_follow_up(patients):
    patients = patients.copy()
    patients.loc[patients["center"] == "IV", ["os_days", "os_event"]] = np.nan
    table = rows_of(table_one_by_center(patients))
    assert table.loc[("OS events", ""), "IV"] == ""
    assert table.loc[("OS follow-up (days)", ""), "IV"] == ""
    assert float(table.loc[("OS follow-up (days)", ""), "I"]) > 300


def test_p_values_by_mvi_are_those_of_scipy(patients):
    result = table_one_by_mvi(patients)
    table = rows_of(result)
    a, b = (patients[patients["mvi"] == label] for label in (0, 1))
    p = stats.ttest_ind(a["age_years"], b["age_years"], equal_var=False).pvalue
    assert table.loc[("Age (years)", ""), "P-value"] == f"{p:.3f}"
    p = stats.kruskal(a["afp_ng_ml"].dropna(), b["afp_ng_ml"].dropna()).pvalue
    assert table.loc[("AFP (ng/mL)", ""), "P-value"] == ("<0.001" if p < 0.001 else f"{p:.3f}")
    p = stats.chi2_contingency(pd.crosstab(patients["hepatitis_b"], patients["mvi"])).pvalue
    assert table.loc[("Hepatitis B", "yes"), "P-value"] == f"{p:.3f}"
    age = (a["age_years"], b["age_years"])
    smd = (age[0].mean() - age[1].mean()) / np.sqrt((age[0].var() + age[1].var()) / 2)
    assert float(table.loc[("Age (years)", ""), "Largest SMD"]) == pytest.approx(
        abs(smd), abs=0.006
    )
    assert "2 patients without a known MVI are left out" in result.attrs["caption"]


def test_columns_that_repeat_mvi_are_not_in_its_table(patients):
    table = table_one_by_mvi(patients.assign(any_vascular_invasion=patients["mvi"]))
    assert not table["Characteristic"].str.contains("invasion").any()


def test_a_rare_level_marks_its_p(patients):
    table = rows_of(table_one_by_center(patients))
    assert table.loc[("BCLC stage", "A"), "P-value"].endswith("*")


def test_splits_stand_in_for_one_center_and_all_patients_for_too_many(patients):
    by_split = table_one_by_center(patients.assign(center="I"))
    assert list(by_split.columns[4:7]) == ["external", "train", "validation"]
    many = patients.assign(center=patients["patient_id"]).drop(columns="split")
    table = table_one_by_center(many)
    assert list(table) == ["Characteristic", "Level", "Missing", "Overall"]
    assert "330 centers are too many" in table.attrs["caption"]


def test_a_center_may_be_called_as_a_column(patients):
    center = patients["center"].map({"I": "Overall", "II": "Test"}).fillna("P-Value")
    table = table_one_by_center(patients.assign(center=center))
    assert list(table)[3:7] == ["Overall", "P-Value", "Test", "group Overall"]
    assert table.iloc[0]["group Overall"] == "160"


ODD_NAMES = ["hospital b", "2nd clinic", "Überlingen", "münchen", "n", "Level", "[/] old"]


def test_groups_of_any_name_are_in_the_table_and_on_the_page(patients):
    """Lower case, a digit first, umlauts, brackets, a column's own name, and no name at all."""
    center = pd.Series([*ODD_NAMES, None] * 50)[: len(patients)]
    table = table_one_by_center(patients.assign(center=center))
    (shown,) = [table_block(TableFile("table_one_by_center", table=table))]
    groups = ["group Level" if name == "Level" else name for name in ODD_NAMES] + ["unknown"]
    assert sorted(shown.header[4:12]) == sorted(groups)
    assert shown.header[12:] == ["P-value", "Largest SMD"]
    sizes = dict(zip(shown.header, shown.rows[0], strict=True))
    assert sum(int(sizes[name]) for name in groups) == len(patients) == int(sizes["Overall"])
    assert sizes["münchen"] == str((center == "münchen").sum())


def test_both_splits_of_a_cohort_with_one_center_are_on_the_page(patients):
    table = table_one_by_center(patients.assign(center="I"))
    (shown,) = [table_block(TableFile("table_one_by_center", table=table))]
    assert shown.header[4:7] == ["external", "train", "validation"]
    assert shown.rows[0][4:7] == ["90", "160", "80"]


def test_a_clinical_column_may_be_called_as_those_of_the_library(patients):
    named = patients.rename(columns={"age_years": "n", "bclc_stage": "group"})
    table = rows_of(table_one_by_center(named))
    age = patients.loc[patients["center"] == "III", "age_years"]
    assert table.loc[("N", ""), "III"] == f"{age.mean():.1f} ({age.std():.1f})"
    assert ("Group", "A") in table.index


def test_without_clinical_columns_the_caption_says_so(bare):
    table = table_one_by_center(bare)
    assert "no clinical column" in table.attrs["caption"]
    assert table["Characteristic"].tolist() == ["Patients", "OS events", "OS follow-up (days)"]
    assert table_one_by_mvi(bare).empty


def test_the_tables_are_registered():
    assert {"table_one_by_center", "regression", "nomogram_mvi", "by_center"} <= set(TABLES)

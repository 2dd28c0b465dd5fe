"""TCGA-LIHC: counts of the real table, and small made tables with the publishers' column names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.cohorts import TcgaLihc
from mtl_hcc.errors import TableError

NAN = float("nan")


@pytest.fixture(scope="module")
def lihc(clinical_tables: Path) -> Path:
    return clinical_tables / "tcga_lihc"


def test_the_real_table_has_the_published_counts(lihc: Path) -> None:
    published = pd.read_csv(lihc / "clinical.csv")
    cohort = TcgaLihc().read(lihc)
    table = cohort.table
    assert len(table) == 377
    assert table["os_event"].sum() == 132
    assert published["rfs_event"].sum() == 229
    assert table["rfs_event"].sum() == 227  # two recurrences are dated after the last contact
    assert table["mvi"].value_counts().to_dict() == {0: 210, 1: 94}
    assert table["os_days"].notna().sum() == 377 - 1 - 5  # one without time, five with 0 days
    assert table["rfs_days"].notna().sum() == 376 - 1 - 4 - 2
    assert table["plain_hcc"].value_counts().to_dict() == {1: 367, 0: 10}


def test_the_real_labels_are_those_of_the_file(lihc: Path) -> None:
    published = pd.read_csv(lihc / "clinical.csv", index_col="patient_id")
    table = TcgaLihc().read(lihc).table
    for column in ("os_days", "os_event", "rfs_days", "rfs_event", "mvi", "age_years"):
        known = table[column].dropna()
        np.testing.assert_array_equal(known, published.loc[known.index, column])
    np.testing.assert_array_equal(table["afp_ng_ml"], published["afp"])
    assert (table["center"] == table.index.str[5:7]).all()
    assert table["center"].value_counts().head(3).to_dict() == {"DD": 151, "G3": 33, "CC": 32}
    assert table["stage"].value_counts().to_dict() == {"I": 175, "II": 88, "III": 86, "IV": 6}


def test_the_real_dirt_is_reported_by_patient(lihc: Path) -> None:
    reasons = TcgaLihc().read(lihc).quarantine.set_index("patient_id")["reason"]
    assert reasons.str.startswith("kept: clinical.csv").all()
    labels = reasons[reasons.str.contains("column (?:os|rfs)_")]
    assert sorted(labels.index) == [
        *("TCGA-2V-A95S", "TCGA-BW-A5NP", "TCGA-BW-A5NQ", "TCGA-CC-A9FU", "TCGA-CC-A9FV"),
        *("TCGA-DD-A1EL", "TCGA-RC-A6M3"),
    ]
    assert "line 112, column rfs_days: 529 is longer than os_days 415" in labels["TCGA-DD-A1EL"]
    assert "column rfs_days: 102 is longer than os_days 0" in labels["TCGA-BW-A5NP"]
    counts = {c: reasons.str.contains(f"column {c}: ").sum() for c in ("albumin_g_dl", "inr")}
    assert counts == {"albumin_g_dl": 20, "inr": 90}


def test_quarantine_instead_of_blanking_leaves_out_seven_real_patients(lihc: Path) -> None:
    cohort = TcgaLihc(bad_labels="quarantine").read(lihc)
    assert len(cohort.table) == 370
    assert cohort.table["os_days"].notna().all()


def test_only_plain_hcc_leaves_out_ten_real_patients(lihc: Path) -> None:
    cohort = TcgaLihc(only_hcc=True).read(lihc)
    assert len(cohort.table) == 367
    left_out = cohort.quarantine[~cohort.quarantine["reason"].str.startswith("kept: ")]
    assert len(left_out) == 10
    assert left_out["reason"].str.contains("not plain HCC; set only_hcc to false").all()


def test_macrovascular_invasion_may_be_counted_by_mapping_the_other_column(lihc: Path) -> None:
    table = TcgaLihc(columns={"mvi": "any_vascular_invasion"}).read(lihc).table
    assert table["mvi"].value_counts().to_dict() == {0: 210, 1: 94 + 17}


GDC = """\
case_id\tcase_submitter_id\tvital_status\tdays_to_death\tdays_to_last_follow_up\t\
days_to_recurrence\tprogression_or_recurrence\tage_at_index\tgender\tajcc_pathologic_stage\t\
primary_diagnosis\ttreatment_type
u1\tTCGA-DD-0001\tDead\t800\t'--\t'--\tnot reported\t61\tmale\tStage IIIA\t\
Hepatocellular carcinoma, NOS\tPharmaceutical
u1\tTCGA-DD-0001\tDead\t800\t'--\t'--\tnot reported\t61\tmale\tStage IIIA\t\
Hepatocellular carcinoma, NOS\tRadiation
u2\tTCGA-G3-0002\tAlive\t'--\t1200\t300\tyes\t55\tfemale\tStage I\t\
Hepatocellular carcinoma, fibrolamellar\t'--
u2\tTCGA-G3-0002\tAlive\t'--\t1300\t250\tyes\t55\tfemale\tStage I\t\
Hepatocellular carcinoma, fibrolamellar\t'--
u3\tTCGA-G3-0003\tDead\t90\t50\t'--\tno\t'--\tfemale\t'--\tHepatocellular carcinoma, NOS\t'--
u4\tTCGA-G3-0004\tAlive\t'--\t700\t'--\tyes\t40\tmale\tStage II\tHepatocellular carcinoma, NOS\t'--
"""


@pytest.mark.parametrize("prefixed", [False, True])
def test_a_gdc_table_becomes_endpoints_with_one_row_per_patient(
    tmp_path: Path, prefixed: bool
) -> None:
    text = GDC
    if prefixed:  # the portal's spelling since 2024
        text = text.replace("case_submitter_id", "cases.submitter_id")
        for name in ("vital_status", "days_to_death", "age_at_index", "gender"):
            text = text.replace(name, f"demographic.{name}")
        for name in ("days_to_last_follow_up", "ajcc_pathologic_stage", "primary_diagnosis"):
            text = text.replace(name, f"diagnoses.{name}")
    (tmp_path / "clinical.tsv").write_text(text)
    cohort = TcgaLihc(layout="gdc", table="clinical.tsv").read(tmp_path)
    table = cohort.table
    assert cohort.quarantine.empty
    assert table.index.str[-4:].tolist() == ["0001", "0002", "0003", "0004"]
    np.testing.assert_array_equal(table["os_days"], [800, 1300, 90, 700])
    np.testing.assert_array_equal(table["os_event"], [1, 0, 1, 0])
    # Unknown recurrence: no RFS. Dated: the earliest. None: death. Undated: no RFS.
    np.testing.assert_array_equal(table["rfs_days"], [NAN, 250, 90, NAN])
    np.testing.assert_array_equal(table["rfs_event"], [NAN, 1, 1, NAN])
    assert table["center"].tolist() == ["DD", "G3", "G3", "G3"]
    assert table["sex"].tolist() == ["male", "female", "female", "male"]
    assert table["stage"].fillna("?").tolist() == ["III", "I", "?", "II"]
    np.testing.assert_array_equal(table["age_years"], [61, 55, NAN, 40])
    np.testing.assert_array_equal(table["plain_hcc"], [1, 0, 1, 1])
    assert "mvi" not in table


def test_gdc_pathology_details_give_mvi(tmp_path: Path) -> None:
    lines = GDC.splitlines()
    kinds = [
        "vascular_invasion_type",
        "Micro",
        "Micro",
        "No Vascular Invasion",
        "'--",
        "Macro",
        "'--",
    ]
    joined = [f"{line}\t{kind}" for line, kind in zip(lines, kinds, strict=True)]
    (tmp_path / "clinical.tsv").write_text("\n".join(joined) + "\n")
    table = TcgaLihc(layout="gdc").read(tmp_path / "clinical.tsv").table
    np.testing.assert_array_equal(table["mvi"], [1, 0, NAN, NAN])
    np.testing.assert_array_equal(table["any_vascular_invasion"], [1, 0, 1, NAN])


CBIOPORTAL = """\
#Patient Identifier\tOverall Survival (Months)\tOverall Survival Status\tDFS\tDFS status\tV\tA\tS\tG
#Identifier\tmonths\tstatus\tmonths\tstatus\tinvasion\talpha fetoprotein\tsex\tstage
#STRING\tNUMBER\tSTRING\tNUMBER\tSTRING\tSTRING\tNUMBER\tSTRING\tSTRING
#1\t1\t1\t1\t1\t1\t1\t1\t1
PATIENT_ID\tOS_MONTHS\tOS_STATUS\tDFS_MONTHS\tDFS_STATUS\tVASCULAR_INVASION\t\
AFP_AT_PROCUREMENT\tSEX\tAJCC_PATHOLOGIC_TUMOR_STAGE
TCGA-2Y-A9GS\t23.79\t1:DECEASED\t3.35\t1:Recurred/Progressed\tMicro\t74\tMale\tStage IVB
TCGA-2Y-A9GT\t53.35\tDECEASED\t53.35\tDiseaseFree\tNone\t17\tFemale\tStage I
TCGA-2Y-A9GU\t63.7\t0:LIVING\t63.7\t0:DiseaseFree\tMacro\t[Not Available]\tMale\tStage I
TCGA-2Y-A9GV\t10\t0:LIVING\t[Not Available]\t[Not Available]\t\t5\tMale\t[Discrepancy]
"""


def test_a_cbioportal_table_becomes_endpoints_in_days(tmp_path: Path) -> None:
    path = tmp_path / "data_clinical_patient.txt"
    path.write_text(CBIOPORTAL)
    cohort = TcgaLihc(layout="cbioportal").read(path)
    table = cohort.table
    assert cohort.quarantine.empty
    # 724, 1624 and 1939 days divided by 30.4375 are the first three OS_MONTHS.
    np.testing.assert_array_equal(table["os_days"], [724, 1624, 1939, 304])
    np.testing.assert_array_equal(table["os_event"], [1, 1, 0, 0])
    np.testing.assert_array_equal(table["rfs_days"], [102, 1624, 1939, NAN])
    np.testing.assert_array_equal(table["rfs_event"], [1, 1, 0, NAN])  # death is an RFS event
    np.testing.assert_array_equal(table["mvi"], [1, 0, NAN, NAN])
    np.testing.assert_array_equal(table["afp_ng_ml"], [74, 17, NAN, 5])
    assert table["sex"].tolist() == ["male", "female", "male", "male"]
    assert table["stage"].fillna("?").tolist() == ["IV", "I", "I", "?"]
    assert set(table["center"]) == {"2Y"}


def test_the_wrong_layout_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text(GDC)
    with pytest.raises(
        TableError, match=r"clinical.tsv.*like 'gdc': set data.source.layout to gdc"
    ):
        TcgaLihc().read(path)
    path.write_text(CBIOPORTAL)
    with pytest.raises(TableError, match=r"set data.source.layout to cbioportal"):
        TcgaLihc(layout="gdc").read(path)


def test_a_renamed_column_is_mapped_in_the_config(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text(CBIOPORTAL.replace("OS_MONTHS", "months"))
    with pytest.raises(TableError, match=r"no column 'OS_MONTHS'.*columns.os_months"):
        TcgaLihc(layout="cbioportal").read(path)
    table = TcgaLihc(layout="cbioportal", columns={"os_months": "months"}).read(path).table
    assert table["os_days"].iloc[0] == 724


def test_text_in_a_time_from_which_days_are_derived_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text(CBIOPORTAL.replace("53.35\tDECEASED", "long\tDECEASED"))
    with pytest.raises(TableError, match=r"clinical.tsv, column os_months: line 7, .*'long'"):
        TcgaLihc(layout="cbioportal").read(path)


def test_only_hcc_needs_a_histology(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text(CBIOPORTAL)
    with pytest.raises(TableError, match=r"only_hcc is set.*columns.histology"):
        TcgaLihc(layout="cbioportal", only_hcc=True).read(path)

"""The real sheet against an independent count, and a folder made up with the published names."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_writer import write_dicom_cohort

from mtl_hcc.cohorts.hcc_tace_seg import HccTaceSeg
from mtl_hcc.errors import CohortError, TableError

HEADER = (
    "TCIA_ID,Interval_BL,TTP,Death_1_StillAliveorLostToFU_0,Censored_0_progressed_1,OS,hepatitis,"
    "age,Sex,Evidence_of_cirh,Pathology,PS_bclc_0_0_1-2_1_3-4_3,CPS,Tr_Size,tumor_nodul,"
    "Vascular invasion,Metastasis,Lymphnodes,Portal Vein Thrombosis,T_involvment,AFP,CLIP_Score,"
    "Okuda,TNM,BCLC,1_RECIST_BL"
)
PATIENTS = ("HCC_001", "HCC_002", "HCC_003")


def write_sheet(path: Path) -> None:
    rows = [
        f"{name},-18,10.0,1,{k % 2},{20 + k}.142857143,HBV only,71,{1 + k % 2},1,NOT STATED,0,A,"
        "2.5,uninodular,0,0,0,0,>50%,12.5,Stage_1,Stage I,Stage-IIIA,Stage-B,44.5"
        for k, name in enumerate(PATIENTS)
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n")


@pytest.fixture(scope="module")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sheet and images in the layout of the NBIA Data Retriever; all phases in one series."""
    tmp_path = tmp_path_factory.mktemp("hcc")
    nifti = tmp_path / "nifti"
    rng = np.random.default_rng(0)
    for name in PATIENTS:
        folder = nifti / "images" / name
        folder.mkdir(parents=True)
        for phase, liver in (("arterial", 60), ("portal_venous", 110), ("delayed", 92)):
            voxels = rng.integers(liver - 40, liver + 41, (5, 12, 14)).astype(np.int16)
            image = sitk.GetImageFromArray(voxels)
            image.SetSpacing((0.7, 0.7, 2.5))
            sitk.WriteImage(image, str(folder / f"{phase}.nii.gz"))
        labels = np.zeros((5, 12, 14), dtype=np.uint8)
        labels[1:4, 2:9, 2:9] = 1
        labels[2, 4:6, 4:6] = 2
        drawn = sitk.GetImageFromArray(labels)
        drawn.CopyInformation(image)
        sitk.WriteImage(drawn, str(folder / "portal_venous_regions.nii.gz"))
    tree = write_dicom_cohort(
        nifti, tmp_path / "tree", series="one", told_by="bolus", progress=False
    )
    root = tmp_path / "hcc"
    for name in PATIENTS:
        study = (
            root / "manifest-1643035385102" / "HCC-TACE-Seg" / name / "02-15-1998-NA-LIVER-10975"
        )
        series = {
            "series_2": "103.000000-LIVER 3 PHASE CAP-83135",
            "series_300": "300.000000-Segmentation-91221",
        }
        for old, new in series.items():
            shutil.copytree(tree / name / old, study / new)
    write_sheet(root / "clinical.csv")
    return root


@pytest.fixture
def published(published_once: Path, tmp_path: Path) -> Path:
    """A copy for a test to spoil."""
    return Path(shutil.copytree(published_once, tmp_path / "hcc"))


def test_the_real_sheet_has_105_patients_and_the_events_that_csv_counts(clinical_tables):
    folder = clinical_tables / "hcc_tace_seg"
    with (folder / "clinical.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = HccTaceSeg().read(folder).table
    assert len(table) == len(rows) == 105
    deaths = sum(row["Death_1_StillAliveorLostToFU_0"] == "1" for row in rows)
    progressed = sum(row["Censored_0_progressed_1"] == "1" for row in rows)
    assert table["os_event"].sum() == deaths == 93
    assert table["ttp_event"].sum() == progressed == 45
    assert table["vascular_invasion"].sum() == sum(r["Vascular invasion"] == "1" for r in rows)
    for row in rows:
        patient = table.loc[row["TCIA_ID"]]
        assert patient["os_days"] == round(float(row["OS"]) * 7)
        assert patient["ttp_days"] == round(float(row["TTP"]) * 7)
        assert patient["afp_ng_ml"] == float(row["AFP"])
        assert patient["bclc"] == row["BCLC"].removeprefix("Stage-")
        assert patient["tnm"] == row["TNM"].removeprefix("Stage-")
        assert patient["sex"] == {"1": "male", "2": "female"}[row["Sex"]]
        size = row["Tr_Size"]
        assert patient["tumor_diameter_mm"] == pytest.approx(
            float(size) * 10 if size else np.nan, nan_ok=True
        )


def test_macroscopic_invasion_is_never_called_mvi(clinical_tables):
    cohort = HccTaceSeg().read(clinical_tables / "hcc_tace_seg")
    assert not {"mvi", "mvi_grade", "rfs_days", "rfs_event"} & set(cohort.table)
    assert cohort.patients == {}
    assert cohort.quarantine.empty
    assert set(cohort.table["center"]) == {"MD Anderson"}


def test_progression_free_survival_on_request(clinical_tables):
    folder = clinical_tables / "hcc_tace_seg"
    table = HccTaceSeg(rfs="progression_or_death").read(folder / "clinical.csv").table
    with (folder / "clinical.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        progressed = row["Censored_0_progressed_1"] == "1"
        patient = table.loc[row["TCIA_ID"]]
        assert patient["rfs_days"] == round(float(row["TTP" if progressed else "OS"]) * 7)
        assert patient["rfs_event"] == (
            1 if progressed else int(row["Death_1_StillAliveorLostToFU_0"])
        )
    assert table["rfs_event"].sum() == 98


def test_published_folders_become_phases_and_label_maps(published):
    cohort = HccTaceSeg(progress=False).read(published)
    assert list(cohort.patients) == list(PATIENTS)
    assert cohort.quarantine.empty
    patient = cohort.patients["HCC_002"]
    assert list(patient.images) == ["arterial", "portal_venous", "delayed"]
    assert list(patient.regions) == ["portal_venous"]
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(patient.regions["portal_venous"])))
    assert [(labels == k).sum() for k in (1, 2)] == [3 * 7 * 7 - 4, 4]
    assert cohort.table.loc["HCC_002", "os_days"] == 148
    assert cohort.table.loc["HCC_002", "tumor_diameter_mm"] == 25
    assert cohort.root == published.with_name("hcc_nifti")


def test_the_follow_up_study_is_passed_over(published):
    import pydicom

    (study,) = published.glob("*/*/HCC_001/*")
    later = study.with_name("04-20-1998-NA-LIVER-20000")
    shutil.copytree(study / "103.000000-LIVER 3 PHASE CAP-83135", later / "2.000000-LIVER-1")
    for path in later.rglob("*.dcm"):
        data = pydicom.dcmread(path)
        data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3", "1.2.3.4"
        data.SOPInstanceUID = pydicom.uid.generate_uid()
        data.StudyDate = "19900101"  # even when its date says that it came first
        data.RescaleIntercept = "0"
        data.save_as(path)
    cohort = HccTaceSeg(progress=False).read(published)
    image = sitk.ReadImage(str(cohort.patients["HCC_001"].images["arterial"]))
    assert sitk.GetArrayFromImage(image).max() < 1000


def test_two_phases_without_a_hint_go_to_quarantine_with_the_setting_that_helps(published):
    (study,) = published.glob("*/*/HCC_001/*")
    for path in sorted(study.glob("103*/*.dcm")):
        if path.name.startswith("2"):
            path.unlink()  # no delayed phase
            continue
        data = pydicom.dcmread(path)
        del data.ContrastBolusStartTime
        data.save_as(path)
    cohort = HccTaceSeg(progress=False).read(published)
    assert list(cohort.patients) == ["HCC_002", "HCC_003"]
    (reason,) = cohort.quarantine["reason"]
    assert '"HCC_001/2-1"' in reason
    assert "series_phases" in reason
    cohort = HccTaceSeg(progress=False, segmented_phase="portal_venous").read(published)
    assert list(cohort.patients["HCC_001"].images) == ["portal_venous"]


def test_a_number_that_is_none_is_named_with_its_line(published):
    sheet = published / "clinical.csv"
    sheet.write_text(sheet.read_text().replace("21.142857143", "many"))
    with pytest.raises(TableError, match=r"clinical\.csv, line 3, column os_weeks.*'many'"):
        HccTaceSeg().read(sheet)


def test_the_folder_of_patients_itself_is_refused_with_what_to_give(published):
    images = next(published.glob("*/HCC-TACE-Seg"))
    write_sheet(images / "clinical.csv")
    with pytest.raises(CohortError, match="Give the folder above"):
        HccTaceSeg().read(images)

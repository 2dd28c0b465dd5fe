"""The NIfTI folder: which files belong to whom, and what is said about those that do not fit."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mtl_hcc.cohorts import NiftiFolder
from mtl_hcc.errors import CohortError, TableError

PHASES = ("arterial", "portal_venous", "delayed")


def reason_of(quarantine, patient: str) -> str:
    rows = quarantine[quarantine["patient_id"] == patient]
    assert rows["step"].tolist() == ["images"]
    return str(rows["reason"].iloc[0])


def test_every_patient_has_the_three_phases_and_the_shared_label_map(nifti_cohort: Path) -> None:
    cohort = NiftiFolder().read(nifti_cohort)
    assert cohort.root == nifti_cohort
    assert cohort.quarantine.empty
    assert list(cohort.patients) == cohort.table.index.tolist() == ["P001", "P002", "P003"]
    patient = cohort.patients["P002"]
    folder = nifti_cohort / "images" / "P002"
    assert patient.patient_id == "P002"
    assert patient.images == {phase: folder / f"{phase}.nii.gz" for phase in PHASES}
    assert patient.regions == dict.fromkeys(PHASES, folder / "regions.nii.gz")
    labels = np.asarray(nibabel.load(patient.regions["delayed"]).dataobj)
    assert np.bincount(labels.ravel())[2] == 6 * 6 * 3


def test_a_label_map_of_its_own_phase_wins_over_the_shared_one(nifti_cohort: Path) -> None:
    folder = nifti_cohort / "images" / "P001"
    shutil.copy(folder / "regions.nii.gz", folder / "arterial_regions.nii.gz")
    regions = NiftiFolder().read(nifti_cohort).patients["P001"].regions
    assert regions["arterial"] == folder / "arterial_regions.nii.gz"
    assert regions["delayed"] == folder / "regions.nii.gz"


def test_a_phase_without_a_label_map_is_absent_from_the_regions(nifti_cohort: Path) -> None:
    folder = nifti_cohort / "images" / "P001"
    (folder / "regions.nii.gz").rename(folder / "portal_venous_regions.nii.gz")
    patient = NiftiFolder().read(nifti_cohort).patients["P001"]
    assert list(patient.regions) == ["portal_venous"]
    assert set(patient.images) == set(PHASES)


def test_uncompressed_files_are_found(nifti_cohort: Path) -> None:
    folder = nifti_cohort / "images" / "P001"
    nibabel.save(nibabel.load(folder / "delayed.nii.gz"), folder / "delayed.nii")
    (folder / "delayed.nii.gz").unlink()
    cohort = NiftiFolder().read(nifti_cohort)
    assert cohort.patients["P001"].images["delayed"] == folder / "delayed.nii"


def test_a_missing_phase_is_left_to_the_preparation(nifti_cohort: Path) -> None:
    (nifti_cohort / "images" / "P001" / "delayed.nii.gz").unlink()
    cohort = NiftiFolder().read(nifti_cohort)
    assert cohort.quarantine.empty
    assert set(cohort.patients["P001"].images) == {"arterial", "portal_venous"}


def test_only_the_phases_asked_for_are_listed(nifti_cohort: Path) -> None:
    cohort = NiftiFolder(phases=["arterial"]).read(nifti_cohort)
    assert list(cohort.patients["P003"].images) == ["arterial"]
    assert list(cohort.patients["P003"].regions) == ["arterial"]


def test_the_table_may_have_another_name_and_other_columns(nifti_cohort: Path) -> None:
    expected = NiftiFolder().read(nifti_cohort).table
    path = nifti_cohort / "patients.csv"
    text = path.read_text().replace("os_days", "OS (d)").replace("mvi", "MVI")
    (nifti_cohort / "clinic.csv").write_text(text)
    path.unlink()
    source = NiftiFolder(table="clinic.csv", columns={"os_days": "OS (d)", "mvi": "MVI"})
    found = source.read(nifti_cohort).table
    assert found[list(expected)].equals(expected)


def test_a_patient_without_images_is_quarantined(nifti_cohort: Path) -> None:
    shutil.rmtree(nifti_cohort / "images" / "P002")
    cohort = NiftiFolder().read(nifti_cohort)
    assert cohort.table.index.tolist() == ["P001", "P003"]
    assert "no folder images/P002; add the images or remove" in reason_of(cohort.quarantine, "P002")


def test_images_without_a_patient_are_quarantined(nifti_cohort: Path) -> None:
    folder = nifti_cohort / "images"
    shutil.copytree(folder / "P001", folder / "P777")
    (folder / ".cache").mkdir()
    cohort = NiftiFolder().read(nifti_cohort)
    assert set(cohort.patients) == {"P001", "P002", "P003"}
    assert cohort.quarantine["patient_id"].tolist() == ["P777"]
    assert "images/P777: images without a row in patients.csv; add" in reason_of(
        cohort.quarantine, "P777"
    )


def test_leading_zeros_lost_in_a_spreadsheet_are_suspected(nifti_cohort: Path) -> None:
    path = nifti_cohort / "patients.csv"
    path.write_text(path.read_text().replace("P001", "7"))
    (nifti_cohort / "images" / "P001").rename(nifti_cohort / "images" / "007")
    cohort = NiftiFolder().read(nifti_cohort)
    assert "did a spreadsheet change the name? images/007 exists" in reason_of(
        cohort.quarantine, "7"
    )


def test_a_folder_of_a_patient_whose_row_was_set_aside_is_not_listed_twice(
    nifti_cohort: Path,
) -> None:
    path = nifti_cohort / "patients.csv"
    path.write_text(path.read_text().replace("P002,I,900", "P002,I,-900"))
    cohort = NiftiFolder().read(nifti_cohort)
    assert cohort.quarantine["patient_id"].tolist() == ["P002"]
    assert cohort.quarantine["step"].tolist() == ["table"]
    assert "P002" not in cohort.patients
    kept = NiftiFolder(bad_labels="blank").read(nifti_cohort)
    assert kept.table.loc["P002", ["os_days", "os_event"]].isna().all()
    assert "P002" in kept.patients


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        (
            {f"{phase}.nii.gz": f"{phase}_CT.nii.gz" for phase in PHASES},
            "images/P001: no image of a known phase (found arterial_CT.nii.gz, ",
        ),
        (
            {"regions.nii.gz": "mask.nii.gz"},
            "images/P001: no region map (found arterial.nii.gz, delayed.nii.gz, mask.nii.gz, ",
        ),
    ],
)
def test_a_folder_with_other_file_names_is_quarantined_with_what_was_found(
    nifti_cohort: Path, renamed: dict[str, str], message: str
) -> None:
    folder = nifti_cohort / "images" / "P001"
    for old, new in renamed.items():
        (folder / old).rename(folder / new)
    reason = reason_of(NiftiFolder().read(nifti_cohort).quarantine, "P001")
    assert reason.startswith(message)
    assert "; add " in reason


@pytest.mark.parametrize(
    "name",
    [
        *("arterial_region.nii.gz", "Arterial_regions.nii.gz", "arterial_mask.nii.gz"),
        *("arterial-regions.nii.gz", "portal_regions.nii.gz", "Regions.nii.gz"),
    ],
)
def test_a_map_whose_name_is_misspelt_does_not_make_a_phase_borrow_another_map(nifti_cohort, name):
    folder = nifti_cohort / "images" / "P001"
    shutil.copy(folder / "regions.nii.gz", folder / name)
    reason = reason_of(NiftiFolder().read(nifti_cohort).quarantine, "P001")
    assert reason == (
        f"images/P001: {name} looks like a region map and is not read; name it regions.nii.gz, or "
        "<phase>_regions.nii.gz after one of the images, or move it away"
    )


@pytest.mark.parametrize(
    "name", ["regions_before.nii.gz", "arterial_registered.nii.gz", "hepatobiliary_regions.nii.gz"]
)
def test_other_files_in_a_patients_folder_do_no_harm(nifti_cohort, name):
    folder = nifti_cohort / "images" / "P001"
    shutil.copy(folder / "regions.nii.gz", folder / name)
    assert NiftiFolder().read(nifti_cohort).quarantine.empty


def test_two_files_for_one_phase_are_not_chosen_between(nifti_cohort: Path) -> None:
    folder = nifti_cohort / "images" / "P001"
    nibabel.save(nibabel.load(folder / "delayed.nii.gz"), folder / "delayed.nii")
    reason = reason_of(NiftiFolder().read(nifti_cohort).quarantine, "P001")
    assert reason == "images/P001: both delayed.nii.gz and delayed.nii; remove one of them"


def test_no_patient_with_images_is_an_error_of_the_whole_cohort(nifti_cohort: Path) -> None:
    for folder in (nifti_cohort / "images").iterdir():
        folder.rename(folder.with_name(f"case {folder.name}"))
    with pytest.raises(CohortError, match=r"no patient of patients.csv has images.*images/P001"):
        NiftiFolder().read(nifti_cohort)


def make_dicom(root: Path) -> None:
    (root / "series").mkdir(parents=True)
    (root / "series" / "IM0001").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 8)


WRONG_ROOTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda root: None, r"root: no such folder.*Correct the path given with --data"),
    "a file": (Path.touch, r"root: a file was given.*--data.source ClinicalTable"),
    "an empty folder": (Path.mkdir, r"root: no patients.csv in the folder.*data.source.table"),
    "DICOM files": (make_dicom, r"root: the folder holds DICOM files.*--data.source DicomTree"),
}


@pytest.mark.parametrize("kind", WRONG_ROOTS)
def test_a_root_that_is_no_cohort_is_answered_with_what_to_do(tmp_path: Path, kind: str) -> None:
    make, message = WRONG_ROOTS[kind]
    make(tmp_path / "root")
    with pytest.raises(CohortError, match=message):
        NiftiFolder().read(tmp_path / "root")


def test_a_cohort_without_its_images_folder_is_answered_with_what_to_do(
    nifti_cohort: Path,
) -> None:
    shutil.rmtree(nifti_cohort / "images")
    with pytest.raises(CohortError, match=r"no images in the folder.*ClinicalTable"):
        NiftiFolder().read(nifti_cohort)


def test_faults_of_the_table_come_through(nifti_cohort: Path) -> None:
    with pytest.raises(TableError, match=r"no column 'OS'"):
        NiftiFolder(columns={"os_days": "OS"}).read(nifti_cohort)


def test_reading_a_cohort_needs_no_imaging_library() -> None:
    code = (
        "import sys, mtl_hcc.cohorts; "
        "print(sorted({'SimpleITK', 'torch', 'torchio'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

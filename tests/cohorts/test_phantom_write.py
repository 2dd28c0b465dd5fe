"""The phantom's folder: an ordinary cohort, the same for any number of workers, restartable."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import SimpleITK

from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.cohorts.phantom import PhantomSettings, write_phantom
from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES

SMALL = {"I": 1, "III": 1, "VI": 1}


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "cohort"
    return write_phantom(folder, PhantomSettings(patients=SMALL), workers=1, progress=False)


def test_the_folder_is_read_as_an_ordinary_cohort(root):
    cohort = NiftiFolder().read(root)
    assert cohort.quarantine.empty
    assert list(cohort.table.index) == ["I-001", "III-001", "VI-001"]
    assert list(cohort.table["split"]) == ["train", "validation", "external"]
    for patient in cohort.patients.values():
        assert set(patient.images) == set(patient.regions) == set(CT_PHASES)


def test_image_and_label_map_share_their_geometry(root):
    for phase in CT_PHASES:
        image = SimpleITK.ReadImage(str(root / f"images/VI-001/{phase}.nii.gz"))
        regions = SimpleITK.ReadImage(str(root / f"images/VI-001/{phase}_regions.nii.gz"))
        assert image.GetPixelID() == SimpleITK.sitkInt16
        assert regions.GetPixelID() == SimpleITK.sitkUInt8
        assert image.GetSize() == regions.GetSize()
        assert image.GetSpacing() == regions.GetSpacing() == pytest.approx((1.6, 1.6, 4.0))
        assert image.GetOrigin() == regions.GetOrigin()
        assert image.GetDirection() == regions.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_the_oracle_tells_the_truth_and_the_table_does_not(root):
    oracle = pd.read_csv(root / "oracle.csv", index_col="patient_id")
    table = pd.read_csv(root / "patients.csv", index_col="patient_id")
    assert {"os_log_hazard", "rfs_log_hazard", "mvi_probability", "corona"} <= set(oracle)
    assert set(oracle) & set(table) == {"center", "split", "afp_ng_ml"}
    assert table["tumor_diameter_mm"].tolist() == pytest.approx(
        oracle["diameter_mm"].tolist(), rel=0.2
    )


def test_the_number_of_workers_changes_nothing(root, tmp_path):
    settings = PhantomSettings(patients=SMALL)
    parallel = write_phantom(tmp_path / "cohort", settings, workers=2, progress=True)
    assert contents(parallel) == contents(root)


def test_a_killed_run_goes_on_and_keeps_finished_patients(root, tmp_path, monkeypatch):
    from mtl_hcc.cohorts.phantom import write

    settings = PhantomSettings(patients=SMALL)
    folder = tmp_path / "cohort"
    true_write, written = write._write_nifti, []

    def full_disk(path, voxels, scan):
        if "III-001" in str(path) and path.name == "delayed.nii.gz":
            raise OSError(28, "No space left on device")
        written.append(path)
        true_write(path, voxels, scan)

    monkeypatch.setattr(write, "_write_nifti", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_phantom(folder, settings, workers=1, progress=False)
    assert not (folder / "images" / "III-001").exists()
    assert not (folder / "patients.csv").exists()
    finished = (folder / "images" / "I-001").stat().st_mtime_ns
    monkeypatch.setattr(write, "_write_nifti", true_write)
    write_phantom(folder, settings, workers=1, progress=False)
    assert (folder / "images" / "I-001").stat().st_mtime_ns == finished
    assert contents(folder) == contents(root)


def test_a_smaller_cohort_leaves_no_patient_behind(tmp_path):
    write_phantom(tmp_path / "c", PhantomSettings(patients={"I": 2}), workers=1, progress=False)
    write_phantom(tmp_path / "c", PhantomSettings(patients={"I": 1}), workers=1, progress=False)
    assert [folder.name for folder in (tmp_path / "c" / "images").iterdir()] == ["I-001"]
    assert NiftiFolder().read(tmp_path / "c").quarantine.empty


def test_one_map_serves_all_phases(tmp_path):
    settings = PhantomSettings(patients={"VI": 1}, regions="one_map")
    folder = write_phantom(tmp_path / "c", settings, workers=1, progress=False)
    assert sorted(path.name for path in (folder / "images" / "VI-001").iterdir()) == [
        "arterial.nii.gz",
        "delayed.nii.gz",
        "portal_venous.nii.gz",
        "regions.nii.gz",
    ]
    patient = NiftiFolder().read(folder).patients["VI-001"]
    assert len(set(patient.regions.values())) == 1


def test_other_settings_are_refused_in_the_same_folder(root):
    before = contents(root)
    other = PhantomSettings(patients=SMALL, seed=1)
    with pytest.raises(CohortError, match="other settings"):
        write_phantom(root, other, workers=1, progress=False)
    assert contents(root) == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(CohortError, match="not empty"):
        write_phantom(tmp_path, PhantomSettings(), workers=1, progress=False)
    assert json.dumps([p.name for p in tmp_path.iterdir()]) == '["thesis.txt"]'

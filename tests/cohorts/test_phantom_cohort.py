"""The phantom's folder: an ordinary cohort, the same for any number of workers, restartable."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import SimpleITK

from mtl_hcc.atomic import temporary_path
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.cohorts.phantom import PhantomSettings, write_phantom
from mtl_hcc.cohorts.phantom.phantom_cohort import is_complete
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
    from mtl_hcc.cohorts.phantom import phantom_cohort

    settings = PhantomSettings(patients=SMALL)
    folder = tmp_path / "cohort"
    true_write, written = phantom_cohort._write_nifti, []

    def full_disk(path, voxels, scan):
        if "III-001" in str(path) and path.name == "delayed.nii.gz":
            raise OSError(28, "No space left on device")
        written.append(path)
        true_write(path, voxels, scan)

    monkeypatch.setattr(phantom_cohort, "_write_nifti", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_phantom(folder, settings, workers=1, progress=False)
    assert not (folder / "images" / "III-001").exists()
    assert not (folder / "patients.csv").exists()
    finished = (folder / "images" / "I-001").stat().st_mtime_ns
    monkeypatch.setattr(phantom_cohort, "_write_nifti", true_write)
    write_phantom(folder, settings, workers=1, progress=False)
    assert (folder / "images" / "I-001").stat().st_mtime_ns == finished
    assert contents(folder) == contents(root)


def test_a_smaller_cohort_leaves_no_patient_behind(tmp_path):
    write_phantom(tmp_path / "c", PhantomSettings(patients={"I": 2}), workers=1, progress=False)
    write_phantom(tmp_path / "c", PhantomSettings(patients={"I": 1}), workers=1, progress=False)
    assert [folder.name for folder in (tmp_path / "c" / "images").iterdir()] == ["I-001"]
    assert NiftiFolder().read(tmp_path / "c").quarantine.empty


def test_what_others_put_among_the_images_stays_and_what_the_killed_left_goes(tmp_path):
    settings, images = PhantomSettings(patients={"I": 1}), tmp_path / "c" / "images"
    write_phantom(tmp_path / "c", settings, workers=1, progress=False)
    for name in ("case 7", "I-drawn", ".I-001.unfinished"):
        (images / name).mkdir()
    (images / "notes.txt").write_text("precious")
    running = temporary_path(images / ".I-002")
    running.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    (images / running.name.replace(str(os.getpid()), str(ended.pid))).mkdir()
    write_phantom(tmp_path / "c", settings, workers=1, progress=False)
    left = {"I-001", "case 7", "I-drawn", ".I-001.unfinished", "notes.txt", running.name}
    assert {path.name for path in images.iterdir()} == left


def test_a_patient_that_another_process_finished_first_is_kept(tmp_path, monkeypatch):
    from mtl_hcc.cohorts.phantom import phantom_cohort

    true_write, other = phantom_cohort._write_nifti, tmp_path / "c" / "images" / "I-001"

    def overtaken(path, voxels, scan):
        true_write(path, voxels, scan)
        other.mkdir(exist_ok=True)
        (other / "arterial.nii.gz").write_bytes(b"of the other")

    monkeypatch.setattr(phantom_cohort, "_write_nifti", overtaken)
    settings = PhantomSettings(patients={"I": 1})
    write_phantom(tmp_path / "c", settings, workers=1, progress=False)
    assert (other / "arterial.nii.gz").read_bytes() == b"of the other"
    assert [path.name for path in other.parent.iterdir()] == ["I-001"]


@pytest.mark.parametrize("lost", ["images/I-001", "oracle.csv", "settings.json"])
def test_a_phantom_is_complete_with_all_its_files_and_nobody_more(tmp_path, lost):
    root, settings = tmp_path / "c", PhantomSettings(patients={"I": 2})
    assert not is_complete(root, settings)
    write_phantom(root, settings, workers=1, progress=False)
    assert is_complete(root, settings)
    assert not is_complete(root, PhantomSettings(patients={"I": 1}))
    assert not is_complete(root, PhantomSettings(patients={"I": 2}, seed=1))
    (root / lost).rename(tmp_path / "aside")
    assert not is_complete(root, settings)


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

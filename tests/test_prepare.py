"""The command that prepares: what it says, what it keeps, and that `fit` takes its store."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from dicom_writer import write_dicom_cohort
from one_view import only_view
from tiny_runs import BRIEF, QUIET, Finished, call, copy_cohort, ct_flags

from mtl_hcc import fit, prepare
from mtl_hcc.store.prepared_store import PreparedStore

pytestmark = pytest.mark.xdist_group("phantom run")

PATIENTS = ["I-001", "I-005", "VI-003"]


@pytest.fixture
def cohort(phantom_run, tmp_path: Path) -> Path:
    """Return a cohort folder of three phantom patients."""
    copy_cohort(phantom_run.cohort, tmp_path / "cohort", patients=PATIENTS).to_csv(
        tmp_path / "cohort" / "patients.csv", index=False
    )
    return tmp_path / "cohort"


def prepared(cohort: Path, *flags: str) -> Finished:
    places = ct_flags(cohort.parent)
    return call(prepare.main, *places, "--data.cohort", cohort, *flags)


def test_it_ends_with_the_paths_and_the_command_that_trains(cohort, tmp_path):
    done = prepared(cohort)
    assert done.code == 0, done.err
    store = tmp_path / "store"
    assert "Prepared 3 patients, kept 0 from before, left out 0" in done.out
    for name in ("manifest.csv", "quality.csv", "quarantine.csv", "splits.csv"):
        assert f"  {store / name}" in done.out
        assert (store / name).is_file()
    assert "Next: python -m mtl_hcc.fit --config" in done.out
    assert f"--data.cohort {cohort} --data.store {store}" in done.out


def test_it_builds_no_network(cohort, monkeypatch):
    monkeypatch.setattr("mtl_hcc.training.module.build_network", None)
    assert prepared(cohort).code == 0


def test_the_quality_report_holds_the_measurements_of_the_phantom(phantom_run, cohort, tmp_path):
    prepared(cohort)
    quality = pd.read_csv(tmp_path / "store" / "quality.csv").set_index("patient_id")
    oracle = pd.read_csv(phantom_run.cohort / "oracle.csv").set_index("patient_id")
    drawn = oracle.loc[quality.index, "diameter_mm"]
    volume = np.pi / 6 * drawn**3
    assert quality["tumor_volume_mm3"].to_numpy() == pytest.approx(volume.to_numpy(), rel=0.35)
    assert quality["liver_overlap"].between(0.7, 1).all()
    assert quality["portal_venous_liver_mean"].between(60, 160).all(), "HU"


def test_only_changed_patients_are_prepared_again(cohort, tmp_path):
    prepared(cohort)
    again = prepared(cohort)
    assert again.code == 0
    assert "Prepar" not in again.out, "nothing changed, so nothing is even read"
    image = cohort / "images" / "I-005" / "delayed.nii.gz"
    other = (cohort / "images" / "I-001" / "delayed.nii.gz").read_bytes()
    image.unlink()
    image.write_bytes(other)
    assert "Prepared 1 patients, kept 2 from before, left out 0" in prepared(cohort).out
    coarser = prepared(cohort, "--data.preparation.views.tumor.spacing_mm", "8")
    assert "Prepared 3 patients, kept 0 from before, left out 0" in coarser.out
    assert only_view(PreparedStore(tmp_path / "store").load("I-001")).images.shape == (
        3,
        12,
        12,
        12,
    )


def test_fit_takes_the_store_as_it_is(phantom_run, tmp_path):
    cohort = tmp_path / "cohort"
    copy_cohort(phantom_run.cohort, cohort).to_csv(cohort / "patients.csv", index=False)
    assert prepared(cohort).code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")}
    flags = [*ct_flags(tmp_path), "--data.cohort", str(cohort), *BRIEF, *QUIET]
    done = call(fit.main, *flags)
    assert done.code == 0, done.err
    assert "Prepar" not in done.out
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")}
    # The phantom by this way trains exactly as the built-in one, of which it is a copy.
    expected = phantom_run.table("predictions.csv")
    found = pd.read_csv(tmp_path / "run" / "predictions.csv")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)


@pytest.fixture
def dicom(cohort: Path) -> Path:
    return write_dicom_cohort(cohort, cohort.with_name("dicom"), progress=False)


def test_a_dicom_tree_is_prepared_as_the_nifti_folder_is(cohort, dicom, tmp_path):
    assert prepared(cohort).code == 0
    flags = ["--data.source", "DicomTree", "--data.store", str(tmp_path / "from_dicom")]
    done = prepared(dicom, *flags)
    assert done.code == 0, done.err
    one, other = PreparedStore(tmp_path / "store"), PreparedStore(tmp_path / "from_dicom")
    assert other.manifest["patient_id"].tolist() == PATIENTS
    pd.testing.assert_frame_equal(one.table, other.table)
    for name in PATIENTS:
        expected, found = only_view(one.load(name)), only_view(other.load(name))
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.regions, expected.regions)
        for field in dataclasses.fields(expected.geometry):
            assert getattr(found.geometry, field.name) == pytest.approx(
                getattr(expected.geometry, field.name), abs=1e-4
            )


def test_tilted_and_gapped_dicom_patients_are_left_out_and_the_other_goes_on(dicom, tmp_path):
    for number, path in enumerate(sorted(dicom.glob("I-001/series_2/*.dcm"))):
        data = pydicom.dcmread(path)
        x, y, z = (float(value) for value in data.ImagePositionPatient)
        data.ImagePositionPatient = [f"{value:.6f}" for value in (x, y + number, z)]
        data.save_as(path)
    slices = sorted(dicom.glob("I-005/series_3/*.dcm"))
    slices[len(slices) // 2].unlink()
    done = prepared(dicom, "--data.source", "DicomTree")
    assert done.code == 0, done.err
    store = PreparedStore(tmp_path / "store")
    assert store.manifest["patient_id"].tolist() == ["VI-003"]
    reasons = store.quarantine.set_index("patient_id")["reason"]
    assert "gantry tilt" in reasons["I-001"]
    assert "arterial" in reasons["I-001"]
    assert "portal_venous" in reasons["I-005"]
    assert f"1 of {len(slices)} slices" in reasons["I-005"]
    for name in ("I-001", "I-005"):
        assert f"{name}: " in done.out


def test_a_folder_of_dicom_files_taken_for_nifti_says_which_source_to_name(tmp_path):
    (tmp_path / "dicom" / "I-001").mkdir(parents=True)
    (tmp_path / "dicom" / "I-001" / "1.dcm").write_bytes(bytes(128) + b"DICM")
    done = prepared(tmp_path / "dicom")
    assert done.code == 2
    assert "the folder holds DICOM files" in done.err
    assert "--data.source DicomTree" in done.err

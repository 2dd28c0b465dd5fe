"""Nothing of a patient but the patient_id leaves the images (see test_lone_process.py as well)."""

from pathlib import Path

import pydicom
import pytest
from dicom_writer import write_dicom_cohort
from tiny_runs import call, copy_cohort, ct_flags

from mtl_hcc import prepare

pytestmark = pytest.mark.xdist_group("phantom run")

SECRETS = {
    "PatientName": "Doe^Secretive",
    "PatientBirthDate": "19470813",
    "OtherPatientIDs": "HOSPITAL-99881",
    "PatientAddress": "Privet Drive",
    "ReferringPhysicianName": "Quackenbush",
    "InstitutionName": "Saint Elsewhere",
    "AccessionNumber": "ACC776655",
    "StudyDate": "20110203",
}


def files_with(folder: Path, secrets: list[str]) -> list[str]:
    """Return ``file: secret`` for each file below the folder that holds one of the texts."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes() + path.name.encode()
            found += [f"{path}: {secret}" for secret in secrets if secret.encode() in content]
    return found


def test_names_and_dates_of_dicom_files_reach_neither_files_nor_output(
    phantom_run, tmp_path, capfd
):
    copy_cohort(phantom_run.cohort, tmp_path / "cohort", patients=["I-001", "I-002"]).to_csv(
        tmp_path / "cohort" / "patients.csv", index=False
    )
    tree = write_dicom_cohort(tmp_path / "cohort", tmp_path / "dicom", progress=False)
    for number, path in enumerate(sorted(tree.rglob("*.dcm"))):
        data = pydicom.dcmread(path)
        for name, value in SECRETS.items():
            setattr(data, name, value)
        data.save_as(path)
        if number == 7:  # one patient also fails, which is reported
            path.write_bytes(path.read_bytes()[:700])
    texts = [part for value in SECRETS.values() for part in value.split("^")]
    assert files_with(tree, texts), "the test would notice"
    flags = [*ct_flags(tmp_path), "--data.cohort", tree, "--data.source", "DicomTree"]
    done = call(prepare.main, *flags, "--data.source.output", tmp_path / "nifti")
    assert done.code == 0, done.err
    assert "left out 1" in done.out
    captured = capfd.readouterr()
    for text in texts:
        assert text not in done.out + done.err + captured.out + captured.err
    assert files_with(tmp_path / "store", texts) == []
    assert files_with(tmp_path / "nifti", texts) == []


def test_the_files_of_a_run_hold_no_more_of_a_patient_than_the_contract_says(phantom_run):
    """Clinical columns stand in ``patients.csv``, which a report reads, and nowhere else."""
    table = (phantom_run.cohort / "patients.csv").read_text().splitlines()
    afp = [line.split(",")[table[0].split(",").index("afp_ng_ml")] for line in table[1:]]
    distinct = [value for value in afp if len(value) >= 5]
    assert len(distinct) > 5
    texts = [f",{value}," for value in distinct] + [f'"{value}"' for value in distinct]
    found = files_with(phantom_run.run, texts)
    own = str(phantom_run.run / "patients.csv")
    assert [place for place in found if not place.startswith(own)] == []
    assert found, "the test would notice"
    assert files_with(phantom_run.cohort, texts), "the test would notice"
    assert files_with(phantom_run.run, [str(phantom_run.cohort / "images")]) == []

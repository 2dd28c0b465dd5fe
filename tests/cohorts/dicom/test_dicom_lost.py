import errno
import os
from pathlib import Path

import pydicom
from read_tree import read, reason


def test_a_patient_id_of_260_characters_is_refused_and_the_others_go_on(dicom_cohort, spoil):
    files = sorted(dicom_cohort.glob("P1/**/*.dcm"))
    with pydicom.config.disable_value_validation():
        spoil(files, lambda data, k: setattr(data, "PatientID", "P" * 260))
    cohort = read(dicom_cohort)
    assert "this PatientID of 260 characters cannot be the name of a folder" in reason(
        cohort, "P" * 260
    )
    assert list(cohort.patients) == ["P2"]


def forbid(monkeypatch, forbidden):
    """Let the system refuse one folder (tests may run as root, whom nothing is refused)."""
    real = os.scandir

    def scandir(folder):
        if Path(folder) == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)


def test_an_unreadable_folder_sets_its_patient_aside(dicom_cohort, monkeypatch):
    forbid(monkeypatch, dicom_cohort / "P1" / "series_4")
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert reason(cohort).startswith(
        "patient P1: P1/series_4 cannot be opened (Permission denied). Expected that all of the "
        "patient's files can be read: a phase may be there."
    )


def test_an_unreadable_folder_of_an_unknown_patient_is_told(dicom_cohort, monkeypatch):
    forbid(monkeypatch, dicom_cohort / "P1")
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert "P1: cannot be opened (Permission denied)" in reason(cohort, "(no name)")
    assert "P1: cannot be opened" in reason(read(dicom_cohort, patient_from="folder"))


def test_a_phase_whose_files_are_all_damaged_is_not_lost_in_silence(dicom_cohort):
    for path in dicom_cohort.glob("P1/series_4/*.dcm"):
        path.write_bytes(path.read_bytes()[:140])
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert "all 6 DICOM files in P1/series_4 are damaged or truncated" in reason(cohort)


def test_damaged_files_of_one_patient_are_not_held_against_the_neighbors(dicom_cohort):
    (dicom_cohort / "center").mkdir()
    for patient in ("P1", "P2"):
        (dicom_cohort / patient).rename(dicom_cohort / "center" / patient)
    (dicom_cohort / "center" / "P3" / "series_2").mkdir(parents=True)
    whole = next(dicom_cohort.glob("center/P1/series_2/*.dcm")).read_bytes()
    (dicom_cohort / "center" / "P3" / "series_2" / "1.dcm").write_bytes(whole[:140])
    (dicom_cohort / "center" / "P3" / "1.dcm").write_bytes(whole[:140])
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P1", "P2"]
    told = cohort.quarantine["reason"].tolist()
    assert told == [
        "center/P3/1.dcm: damaged DICOM file. Copy it again.",
        "center/P3/series_2/1.dcm: damaged DICOM file. Copy it again.",
    ]


def test_a_pipe_and_a_broken_link_do_not_stop_the_cohort(dicom_cohort):
    os.mkfifo(dicom_cohort / "P2" / "pipe.dcm")
    (dicom_cohort / "P1" / "series_2" / "gone.dcm").symlink_to("nowhere")
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert "P1/series_2/gone.dcm cannot be opened (No such file or directory)" in reason(cohort)

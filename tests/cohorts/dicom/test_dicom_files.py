import logging
import os

import pydicom
import pytest

from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.errors import CohortError


def test_files_that_are_not_dicom_are_counted_and_passed_over(dicom_cohort):
    (dicom_cohort / "P1" / "notes.txt").write_text("hello")
    (dicom_cohort / "P1" / ".DS_Store").write_bytes(b"x")
    found = find_dicom_files(dicom_cohort, progress=False)
    assert len(found.headers) == 2 * (3 * 6 + 3)
    assert found.ignored == {"not DICOM": 2}  # the table and the notes; hidden files are not seen


def test_headers_are_the_same_from_several_processes(dicom_cohort):
    one = find_dicom_files(dicom_cohort, progress=False)
    two = find_dicom_files(dicom_cohort, workers=2, progress=False)
    assert one.headers == two.headers


def test_a_damaged_header_is_kept_apart(dicom_cohort):
    path = dicom_cohort / "P1" / "series_2" / "00003.dcm"
    path.write_bytes(path.read_bytes()[:140])
    found = find_dicom_files(dicom_cohort, progress=False)
    assert found.damaged == [path]


def test_names_and_dates_reach_neither_headers_nor_logs(dicom_cohort, spoil, caplog):
    def fill(data, k):
        data.PatientName, data.PatientBirthDate = "Doe^Jane", "19500203"

    spoil(sorted(dicom_cohort.glob("P1/series_2/*.dcm")), fill)
    with caplog.at_level(logging.DEBUG, logger="mtl_hcc"):
        found = find_dicom_files(dicom_cohort, progress=False)
    for text in (caplog.text, repr(found.headers)):
        assert "Doe" not in text
        assert "19500203" not in text
    assert "P1" not in caplog.text


def test_a_tree_without_images_says_so(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(CohortError, match="no CT or MR image among 1 files"):
        find_dicom_files(tmp_path, progress=False)
    with pytest.raises(CohortError, match="no such folder"):
        find_dicom_files(tmp_path / "absent", progress=False)


def test_old_and_broken_times_are_read(dicom_cohort, spoil):
    def stamp(data, k):
        data["AcquisitionTime"]._value = ["09:30:10", "093020.5", "0931", "later", "", "093000"][k]

    with pydicom.config.disable_value_validation():
        spoil(sorted(dicom_cohort.glob("P1/series_2/*.dcm")), stamp)
    headers = find_dicom_files(dicom_cohort / "P1" / "series_2", progress=False).headers
    day = 9 * 3600 + 30 * 60
    times = [None if h.seconds is None else h.seconds % 86400 - day for h in headers]
    assert times == [10, 20.5, 60, None, None, 0]


def test_pipes_loops_and_links_do_not_stop_the_scan(dicom_cohort, tmp_path):
    expected = len(find_dicom_files(dicom_cohort, progress=False).headers)
    os.mkfifo(dicom_cohort / "P1" / "pipe.dcm")
    (dicom_cohort / "P1" / "back").symlink_to(dicom_cohort)
    (dicom_cohort / "P1" / "circle").symlink_to("circle")
    (dicom_cohort / "P1" / "series_2" / "gone.dcm").symlink_to("nowhere")
    (tmp_path / "elsewhere").mkdir()
    (dicom_cohort / "P2" / "series_2").rename(tmp_path / "elsewhere" / "series_2")
    (dicom_cohort / "P2" / "series_2").symlink_to(tmp_path / "elsewhere" / "series_2")
    found = find_dicom_files(dicom_cohort, progress=False)
    assert len(found.headers) == expected
    assert found.ignored["no plain file"] == 1
    assert found.ignored["a link to a folder above"] == 1
    assert {path.name: why for path, why in found.unreadable.items()} == {
        "circle": "Too many levels of symbolic links",
        "gone.dcm": "No such file or directory",
    }

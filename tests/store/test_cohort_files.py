"""The hash that decides whether a store is stale: whatever a source reads changes it."""

import os
import socket
from pathlib import Path

import pytest

from mtl_hcc.cohorts import ClinicalTable, DicomTree, HccTaceSeg, NiftiFolder
from mtl_hcc.patient import Patient
from mtl_hcc.store.cohort_files import files_hash, same_elsewhere, states_elsewhere


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort folder whose second patient lies elsewhere, behind a link."""
    for folder in ("cohort/images/A", "elsewhere/B"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "arterial.nii").write_bytes(b"image")
    (tmp_path / "cohort" / "images" / "B").symlink_to(tmp_path / "elsewhere" / "B")
    (tmp_path / "cohort" / "patients.csv").write_text("patient_id,mvi\nA,0\nB,1\n")
    return tmp_path / "cohort"


def hashed(cohort: Path, *besides: Path) -> str:
    return files_hash(cohort, besides, store=cohort.parent / "store")


def rewrite(path: Path, content: bytes) -> None:
    """Write another content of the same length under the same date, as some archives do."""
    found = path.stat()
    assert len(content) == found.st_size
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("name", ["images/A/arterial.nii", "images/B/arterial.nii"])
def test_an_image_of_the_same_size_and_date_is_noticed_also_behind_a_link(cohort, name):
    before = hashed(cohort)
    rewrite(cohort / name, b"IMAGE")
    assert hashed(cohort) != before


def test_a_link_to_a_file_and_its_target_are_followed(cohort, tmp_path):
    mask, other = tmp_path / "mask.nii", tmp_path / "mask_2.nii"
    mask.write_bytes(b"first")
    other.write_bytes(b"other one")
    link = cohort / "images" / "A" / "regions.nii"
    link.symlink_to(mask)
    before = hashed(cohort)
    mask.write_bytes(b"second")
    changed = hashed(cohort)
    link.unlink()
    link.symlink_to(other)
    assert len({before, changed, hashed(cohort)}) == 3


def test_a_link_that_leads_in_a_circle_ends(cohort):
    (cohort / "images" / "A" / "up").symlink_to(cohort)
    (cohort / "images" / "self").symlink_to(cohort / "images" / "self")
    before = hashed(cohort)
    rewrite(cohort / "images" / "A" / "arterial.nii", b"IMAGE")
    assert hashed(cohort) != before


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".xlsx", ".CSV"])
def test_tables_count_by_content_whatever_their_date(cohort, ending):
    table = cohort / f"clinic{ending}"
    table.write_text("A,1")
    before = hashed(cohort)
    os.utime(table, (0, 0))
    assert hashed(cohort) == before
    rewrite(table, b"A,0")
    assert hashed(cohort) != before


def test_a_table_given_by_name_counts_by_content_whatever_its_ending(cohort, tmp_path):
    table = tmp_path / "export.dat"
    table.write_text("A,1")
    before = hashed(cohort, table), hashed(table)
    os.utime(table, (0, 0))
    assert (hashed(cohort, table), hashed(table)) == before
    table.write_text("A,0")
    assert hashed(cohort, table) != before[0]
    assert hashed(table) != before[1]


def test_what_is_no_regular_file_is_passed_over(cohort):
    before = hashed(cohort)
    os.mkfifo(cohort / "pipe.csv")  # to open it would wait for ever
    (cohort / ".#patients.csv").symlink_to("surgeon@ward.1234:1700000000")  # Emacs' lock
    with socket.socket(socket.AF_UNIX) as bound:
        folder = Path.cwd()
        os.chdir(cohort)  # a socket's path is short
        try:
            bound.bind("talk.csv")
        finally:
            os.chdir(folder)
    (cohort / "device.csv").symlink_to("/dev/zero")
    assert hashed(cohort) == before


def test_a_table_without_permission_does_not_stop_the_hash(cohort, monkeypatch):
    def refused(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    before = hashed(cohort)
    monkeypatch.setattr(Path, "open", refused)  # root may read everything
    assert hashed(cohort) != before


def test_the_store_is_not_part_of_the_cohort_it_is_made_of(cohort):
    store = cohort / "prepared"
    store.mkdir()
    before = files_hash(cohort, [], store=store)
    (store / "manifest.csv").write_text("patient_id\n")
    assert files_hash(cohort, [], store=store) == before


def test_every_source_tells_which_files_elsewhere_it_reads(tmp_path):
    root, table = tmp_path / "cohort", tmp_path / "clinic" / "table.csv"
    for source in (
        NiftiFolder(table=str(table)),
        ClinicalTable(table=str(table)),
        DicomTree(table=str(table), output=str(tmp_path / "made")),
        HccTaceSeg(table=str(table), output=str(tmp_path / "made")),
        NiftiFolder(table="../clinic/table.csv"),
    ):
        read = [path.resolve() for path in source.reads(root)]
        assert table in read
        assert tmp_path / "made" not in read
    assert Path("masks") in DicomTree(masks="masks").reads(root)


def test_files_that_a_source_gave_from_elsewhere_are_watched_one_by_one(cohort, tmp_path):
    made = tmp_path / "made.nii"
    made.write_bytes(b"image")
    patient = Patient("A", {"arterial": cohort / "images/A/arterial.nii"}, {"arterial": made})
    states = states_elsewhere([patient], cohort)
    assert list(states) == [str(made)]
    assert same_elsewhere(states)
    rewrite(made, b"IMAGE")
    assert not same_elsewhere(states)

import errno
import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
from one_view import one_view, only_view

from mtl_hcc.errors import CohortError, StoreError
from mtl_hcc.imaging.view import Zone
from mtl_hcc.patient import Cohort, Patient
from mtl_hcc.store.prepare_store import prepare_store
from mtl_hcc.store.quality_report import print_report, registrations, warnings

SMALL = one_view(
    phases=["arterial", "portal_venous"],
    spacing_mm=3,
    field_of_view_mm=48,
    margin_mm=3,
    plausibility="remark",  # a cube of liver and nothing else
)


def write_cohort(root: Path, names: list[str]) -> Cohort:
    """Write patients of two phases, a 10 mm tumor in a cube of liver."""
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:20, :24, :24]
    tumor = (x - 12) ** 2 + (y - 12) ** 2 + (z - 10) ** 2 <= 25
    labels = np.ones((20, 24, 24), np.uint8) + tumor
    patients = {}
    for index, name in enumerate(names):
        folder = root / "images" / str(index)
        folder.mkdir(parents=True, exist_ok=True)
        images, regions = {}, {}
        for phase in SMALL.phases:
            images[phase] = folder / f"{phase}.nii.gz"
            regions[phase] = folder / f"{phase}_regions.nii.gz"
            values = rng.normal(80, 20, labels.shape).astype(np.int16)
            for path, array in ((images[phase], values), (regions[phase], labels)):
                image = sitk.GetImageFromArray(array)
                image.SetSpacing((2.0, 2.0, 2.0))
                sitk.WriteImage(image, str(path))
        patients[name] = Patient(name, images, regions)
    table = pd.DataFrame(
        {"center": "01", "os_days": [100.5, np.nan, 30.0][: len(names)], "os_event": 1.0},
        index=pd.Index(names, name="patient_id"),
    )
    return Cohort(root=root, table=table, patients=patients)


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    return write_cohort(tmp_path / "cohort", ["001", "b/ad id", "C3"])


def prepare(cohort, root, preparation=SMALL, **options):
    return prepare_store(cohort, preparation, root, **{"workers": 1, "progress": False, **options})


def written(root: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (root / "patients").iterdir()}


def test_a_store_gives_back_patients_and_table(cohort, tmp_path):
    store = prepare(cohort, tmp_path / "store")
    assert store.manifest["patient_id"].tolist() == ["001", "C3", "b/ad id"]
    assert store.manifest["tumor_volume_mm3"].notna().all()
    pd.testing.assert_frame_equal(store.table, cohort.table)
    prepared = only_view(store.load("b/ad id"))
    assert prepared.phases == ("arterial", "portal_venous")
    assert prepared.images.shape == (2, 16, 16, 16)
    assert prepared.patient_id == "b/ad id"
    assert store.quarantine.empty
    assert (tmp_path / "store" / "quality.csv").is_file()
    assert json.loads((tmp_path / "store" / "preparation.json").read_text())["versions"][
        "SimpleITK"
    ]


def test_unchanged_patients_are_kept_and_changed_ones_redone(cohort, tmp_path):
    root = tmp_path / "store"
    prepare(cohort, root)
    before = written(root)
    prepare(cohort, root)
    assert written(root) == before
    path = cohort.patients["C3"].images["arterial"]
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(image + 1, str(path))
    prepare(cohort, root)
    changed = {name for name, time_ns in written(root).items() if time_ns != before[name]}
    assert {name.partition("~")[0] for name in changed} == {"C3"}


def test_a_touched_file_with_the_same_content_is_not_prepared_again(cohort, tmp_path, monkeypatch):
    root = tmp_path / "store"
    first = prepare(cohort, root).manifest
    os.utime(cohort.patients["001"].images["arterial"], (1, 1))
    monkeypatch.setattr("mtl_hcc.store.prepare_store._prepare", None)  # Calling it would fail.
    pd.testing.assert_frame_equal(prepare(cohort, root).manifest, first)
    before = written(root)
    prepare(cohort, root)  # The new time was noted, so not even the hash is needed.
    assert written(root) == before


def test_another_recipe_prepares_everybody_anew(cohort, tmp_path):
    store = prepare(cohort, tmp_path / "store")
    other = replace(SMALL, zones={"margin": Zone(inward_mm=6, outward_mm=6)})
    before = written(store.root)
    again = prepare(cohort, store.root, other)
    assert again.recipe["fingerprint"] == other.fingerprint()
    assert all(written(store.root)[name] != before[name] for name in before)


def test_one_bad_patient_is_left_out_with_the_reason_and_the_rest_goes_on(cohort, tmp_path):
    cohort.patients["001"].images["arterial"].write_bytes(b"nothing")
    store = prepare(cohort, tmp_path / "store")
    assert len(store) == 2
    left_out = store.quarantine.iloc[0]
    assert (left_out["patient_id"], left_out["step"]) == ("001", "prepare")
    assert "arterial.nii.gz" in left_out["reason"]
    with pytest.raises(StoreError, match="patient 001 was left out"):
        store.load("001")


@pytest.mark.parametrize(
    ("place", "kind", "value", "reason"),
    [(108, "<f", np.inf, "vox_offset is inf"), (72, "<h", 0, "bitpix is 0")],
)
def test_one_broken_header_does_not_stop_the_others(
    cohort, tmp_path, capsys, place, kind, value, reason
):
    path = cohort.patients["001"].images["arterial"]
    data = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(kind, data, place, value)
    path.write_bytes(gzip.compress(bytes(data)))
    store = prepare(cohort, tmp_path / "store", workers=2, progress=True)
    assert sorted(store.manifest["patient_id"]) == ["C3", "b/ad id"]
    assert reason in store.quarantine["reason"].item()
    assert f"001: patient 001, arterial, {path}: {reason}" in capsys.readouterr().out


def test_a_patient_who_went_bad_is_no_longer_in_the_store(cohort, tmp_path):
    store = prepare(cohort, tmp_path / "store")
    file = store.path("C3")
    cohort.patients["C3"].images["arterial"].unlink()
    assert "C3" not in prepare(cohort, store.root).manifest["patient_id"].tolist()
    assert not file.exists()


def test_when_nobody_can_be_prepared_the_first_reason_is_told(cohort, tmp_path):
    for patient in cohort.patients.values():
        patient.regions["arterial"].unlink()
    with pytest.raises(CohortError, match=r"none of the 3 patients.*no such file"):
        prepare(cohort, tmp_path / "store")


def test_a_damaged_file_is_made_again(cohort, tmp_path):
    store = prepare(cohort, tmp_path / "store")
    path = store.path("001")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match="half-written"):
        store.load("001")
    content = path.read_bytes()
    assert only_view(prepare(cohort, store.root).load("001")).images.any()
    assert path.read_bytes() != content


def test_workers_give_the_same_store_and_a_backend_may_be_named(cohort, tmp_path):
    one = prepare(cohort, tmp_path / "one")
    with joblib.parallel_config(backend="threading", n_jobs=2):
        two = prepare(cohort, tmp_path / "two", workers=None)
    pd.testing.assert_frame_equal(one.manifest, two.manifest)
    for patient_id in one.manifest["patient_id"]:
        np.testing.assert_array_equal(
            only_view(one.load(patient_id)).images, only_view(two.load(patient_id)).images
        )


SLOW = """
import sys, time
from pathlib import Path
sys.path[:0] = {folders!r}
import test_prepare_store as t
import mtl_hcc.store.prepare_store as p
real = p._prepare
def slow(patient, preparation):
    prepared = real(patient, preparation)
    if patient.patient_id != "001":
        time.sleep(60)
    return prepared
p._prepare = slow
cohort = t.cohort_at(Path({root!r}))
t.prepare(cohort, Path({store!r}))
"""


def cohort_at(root: Path) -> Cohort:
    """Return the cohort that is already written at ``root``."""
    names = ["001", "b/ad id", "C3"]
    patients = {}
    for index, name in enumerate(names):
        folder = root / "images" / str(index)
        patients[name] = Patient(
            name,
            {phase: folder / f"{phase}.nii.gz" for phase in SMALL.phases},
            {phase: folder / f"{phase}_regions.nii.gz" for phase in SMALL.phases},
        )
    table = pd.DataFrame({"center": "01"}, index=pd.Index(names, name="patient_id"))
    return Cohort(root=root, table=table, patients=patients)


def test_after_a_kill_the_next_run_goes_on_where_it_stopped(cohort, tmp_path):
    root = tmp_path / "store"
    folders = [str(folder) for folder in Path(__file__).parents[:2]]
    code = SLOW.format(folders=folders, root=str(cohort.root), store=str(root))
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        for _ in range(600):
            if (root / "patients").is_dir() and any((root / "patients").glob("*.safetensors")):
                break
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = written(root)
    assert list(before) == ["001.safetensors"]
    (root / "patients" / f"C3.safetensors.{process.pid}.tmp").write_bytes(b"half")
    store = prepare(cohort, root)
    assert len(store) == 3
    assert written(root)["001.safetensors"] == before["001.safetensors"]
    assert not list(root.rglob("*.tmp"))


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(cohort, tmp_path, monkeypatch):
    root, flush, calls = tmp_path / "store", os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full"):
            prepare(cohort, root)
    before = written(root)
    assert list(before) == ["001.safetensors"]
    assert not list(root.rglob("*.tmp"))
    assert len(prepare(cohort, root)) == 3
    assert written(root)["001.safetensors"] == before["001.safetensors"]


def test_the_report_counts_and_warns(cohort, tmp_path, capsys):
    cohort.patients["001"].images["arterial"].unlink()
    store = prepare(cohort, tmp_path / "store")
    print_report(store, kept=1)
    printed = capsys.readouterr().out
    assert "Prepared 1 patients, kept 1 from before, left out 1" in printed.replace("\n", " ")
    assert "no such file" in printed
    manifest = pd.DataFrame(
        {"patient_id": ["A", "B"], "liver_overlap": [0.5, np.nan], "tumor_inside_share": [1, 0.75]}
    )
    assert warnings(manifest) == [
        "A: the livers of two phases overlap by a Dice of only 0.50",
        "B: 25% of the tumor lies outside the field of view",
    ]


def test_warnings_name_the_view_where_there_are_several():
    manifest = pd.DataFrame(
        {
            "patient_id": ["A"],
            "whole_liver_tumor_inside_share": [1.0],
            "whole_liver_liver_inside_share": [0.9],
            "tumor_tumor_inside_share": [0.8],
            "fat_loat_inside_share": [0.5],
            "fat_slices_interpolated": ["delayed is tilted by 3.0 degrees"],
        }
    )
    assert warnings(manifest) == [
        "A: 10% of the liver lies outside the field of view of whole_liver",
        "A: 20% of the tumor lies outside the field of view of tumor",
        "A: 50% of the LOAT lies outside the field of view of fat",
        "A: slices are interpolated, as delayed is tilted by 3.0 degrees",
    ]


def test_the_report_says_how_far_registered_livers_moved():
    manifest = pd.DataFrame(
        {
            "patient_id": ["A", "B", "C"],
            "arterial_shift_mm": [3.0, 12.4, np.nan],
            "arterial_similarity_before": [0.2, 0.1, np.nan],
            "arterial_similarity_after": [0.6, 0.5, np.nan],
            "registration_refused": ["", "", "arterial (no place was found)"],
        }
    )
    assert registrations(manifest) == [
        "registered the arterial phase of 2 patients: the liver moved by 7.7 mm (median), at most "
        "12.4 mm (B); mutual information 0.15 before, 0.55 after"
    ]
    assert warnings(manifest) == [
        "C: not registered, left where the scanner put it: arterial (no place was found)"
    ]

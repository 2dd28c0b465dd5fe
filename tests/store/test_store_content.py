"""What is read of a store is what was prepared, of the patient it was asked for, or nothing."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.store import prepared_store as store_module
from mtl_hcc.store.prepared_file import content_hash, file_name, read_header, write_prepared
from mtl_hcc.store.prepared_store import PreparedStore

NAMES = ("A", "B")


def made(name: str, *, seed: int) -> PreparedPatient:
    rng = np.random.default_rng(seed)
    tumor = PreparedView(
        phases=("arterial", "delayed"),
        images=rng.random((2, 4, 6, 8)).astype(np.float16),
        regions=rng.integers(0, 16, (2, 4, 6, 8)).astype(np.uint8),
        phase_present=np.array([True, True]),
        geometry=Grid((1.5, -2.0, 3.25), (1.0, 1.0, 1.0), (8, 6, 4)),
    )
    whole = PreparedView(
        phases=("delayed",),
        images=rng.random((1, 3, 2, 5)).astype(np.float16),
        regions=rng.integers(0, 16, (1, 3, 2, 5)).astype(np.uint8),
        phase_present=np.array([True]),
        geometry=Grid((0.0, 1.0, 2.0), (4.0, 4.0, 5.0), (5, 2, 3)),
    )
    return PreparedPatient(
        patient_id=name,
        views={"tumor": tumor, "whole_liver": whole},
        quality={"tumor_volume_mm3": 1.5, "liver_overlap": float("nan")},
    )


@pytest.fixture
def store(tmp_path: Path) -> PreparedStore:
    patients = [made(name, seed=seed) for seed, name in enumerate(NAMES)]
    rows = []
    for patient in patients:
        file = f"patients/{file_name(patient.patient_id)}"
        write_prepared(tmp_path / file, patient)
        rows.append((patient.patient_id, file, content_hash(patient)))
    manifest = pd.DataFrame(rows, columns=["patient_id", "file", "sha256"])
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    return PreparedStore(tmp_path)


def as_text(patient: PreparedPatient) -> str:
    """Return all that a patient holds, voxels included, now."""
    views = {
        view: {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(arrays).items()
        }
        for view, arrays in patient.views.items()
    }
    return str((patient.patient_id, views, patient.quality))


def with_whole_liver(patient: PreparedPatient, **other: Any) -> PreparedPatient:
    """Return the patient with another second view."""
    whole = replace(patient.views["whole_liver"], **other)
    return replace(patient, views={**patient.views, "whole_liver": whole})


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_sound_store_is_read_and_the_hash_depends_on_every_part(store):
    for seed, name in enumerate(NAMES):
        assert as_text(store.load(name)) == as_text(made(name, seed=seed))
    one = made("A", seed=0)
    tumor, whole = one.views.values()
    changed = [
        replace(one, patient_id="C"),
        replace(one, quality={}),
        replace(one, views={"tumor": tumor}),
        replace(one, views={"tumor": whole, "whole_liver": tumor}),
        replace(one, views={"whole_liver": whole, "tumor": tumor}),
        with_whole_liver(one, phases=("arterial",)),
        with_whole_liver(one, images=whole.images.reshape(1, 3, 5, 2)),
        with_whole_liver(one, regions=whole.regions ^ 1),
        with_whole_liver(one, phase_present=np.array([False])),
        with_whole_liver(one, geometry=Grid((0, 0, 0), (4, 4, 5), (5, 2, 3))),
    ]
    assert len({content_hash(patient) for patient in [one, *changed]}) == 1 + len(changed)


def test_with_one_bit_flipped_anywhere_a_file_is_refused_or_read_as_it_was(store, monkeypatch):
    path, whole = store.path("A"), store.path("A").read_bytes()
    _, start = read_header(path)
    expected, messages, read = as_text(made("A", seed=0)), [], []
    for place in (*range(0, start, 3), *range(start, len(whole), 29), len(whole) - 1):
        monkeypatch.setattr(store_module, "_CHECKED", {})
        flip(path, place)
        try:
            read.append((place, as_text(store.load("A"))))
        except StoreError as error:
            messages.append(str(error))
        path.write_bytes(whole)
    assert all(path.name in text and "prepare again" in text for text in messages)
    assert len(messages) > 0.5 * (len(messages) + len(read))
    for place, found in read:  # what it was prepared from, and blanks between words
        assert place < start
        assert found == expected


def test_a_flipped_voxel_names_file_patient_and_remedy(store):
    flip(store.path("A"), -5)
    with pytest.raises(StoreError) as caught:
        store.load("A")
    for part in ("patient A", str(store.path("A")), "not the one that was prepared", "prepare aga"):
        assert part in str(caught.value)
    store.load("B")


def test_files_of_two_patients_that_were_exchanged_are_refused(store, tmp_path):
    one, other = store.path("A"), store.path("B")
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    with pytest.raises(StoreError, match=r"patient A, .*: the file holds patient B"):
        store.load("A")
    with pytest.raises(StoreError, match=r"patient B, .*: the file holds patient A"):
        store.load("B")


def test_a_header_of_another_shape_is_refused(store):
    path = store.path("A")
    content = path.read_bytes()
    assert content.count(b"[2,4,6,8]") == 2
    path.write_bytes(content.replace(b"[2,4,6,8]", b"[2,4,8,6]"))
    with pytest.raises(StoreError, match="not the one that was prepared"):
        store.load("A")
    path.write_bytes(content.replace(b"[2,4,6,8]", b"[2,4,6,9]"))
    with pytest.raises(StoreError, match="damaged or half-written"):
        store.load("A")


def test_an_earlier_version_of_a_patient_is_refused(store):
    write_prepared(store.path("A"), made("A", seed=7))
    with pytest.raises(StoreError, match=r"patient A, .*SHA-256 differs"):
        store.load("A")


def test_a_file_that_another_program_wrote_again_keeps_its_content(store):
    path = store.path("A")
    arrays = load_file(path)
    metadata = read_header(path)[0]["__metadata__"]
    save_file(arrays, path, metadata=metadata)
    assert as_text(store.load("A")) == as_text(made("A", seed=0))


def test_a_file_is_hashed_once_in_a_process_and_again_when_it_changed(store, monkeypatch):
    calls = []
    real = store_module.check_content
    monkeypatch.setattr(store_module, "_CHECKED", {})
    monkeypatch.setattr(
        store_module, "check_content", lambda *args: (calls.append(args[2]), real(*args))
    )
    for _ in range(3):
        store.load("A")
        PreparedStore(store.root).load("B")  # e.g. of the next fold
    assert calls == ["A", "B"]
    flip(store.path("A"), -5)
    os.utime(store.path("A"), (1, 1))
    with pytest.raises(StoreError):
        store.load("A")


def test_a_store_of_an_earlier_version_says_so(store):
    store.manifest.drop(columns="sha256").to_csv(store.root / "manifest.csv", index=False)
    with pytest.raises(StoreError, match="no column sha256: an earlier version made the store"):
        PreparedStore(store.root).load("A")


def test_a_copied_store_is_read(store, tmp_path):
    copy = Path(shutil.copytree(store.root, tmp_path / "copy"))
    assert json.dumps(PreparedStore(copy).load("A").quality) == json.dumps(store.load("A").quality)

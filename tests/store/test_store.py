import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from one_view import only_view

from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.store.prepared_file import file_name, read_prepared, write_prepared
from mtl_hcc.store.prepared_store import PreparedStore

GRID = Grid((1.5, -2.0, 3.25), (1.0, 1.0, 1.0), (4, 4, 4))


def patient_of(images, regions, patient_id="P1", quality=None):
    view = PreparedView(
        phases=("arterial", "delayed"),
        images=images,
        regions=regions,
        phase_present=np.array([True, False]),
        geometry=GRID,
    )
    return PreparedPatient(
        patient_id=patient_id,
        views={"tumor": view},
        quality=quality or {"tumor_volume_mm3": 1.5, "missing_phases": "delayed"},
    )


def random_patient():
    rng = np.random.default_rng(0)
    return patient_of(
        rng.random((2, 4, 4, 4)).astype(np.float16),
        rng.integers(0, 16, (2, 4, 4, 4)).astype(np.uint8),
    )


@settings(max_examples=30, deadline=None)
@given(
    images=hnp.arrays(np.float16, (2, 4, 4, 4), elements=st.floats(0, 1, width=16)),
    regions=hnp.arrays(np.uint8, (2, 4, 4, 4)),
    patient_id=st.text(min_size=1, max_size=30).filter(lambda s: s.isprintable()),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_what_is_written_is_read(tmp_path_factory, images, regions, patient_id, value):
    path = tmp_path_factory.mktemp("store") / file_name(patient_id)
    written = patient_of(images, regions, patient_id, {"value": value, "text": patient_id})
    write_prepared(path, written)
    read = only_view(read_prepared(path))
    np.testing.assert_array_equal(read.images, images)
    np.testing.assert_array_equal(read.regions, regions)
    assert read.phase_present.tolist() == [True, False]
    assert read.geometry == GRID
    assert (read.patient_id, read.phases, read.quality) == (
        patient_id,
        ("arterial", "delayed"),
        written.quality,
    )


@settings(max_examples=200)
@given(first=st.text(min_size=1, max_size=150), second=st.text(min_size=1, max_size=150))
def test_file_names_are_safe_and_distinct_even_where_case_is_not(first, second):
    for name in (file_name(first), file_name(second)):
        assert "/" not in name
        assert not name.startswith(".")
        assert len(name) < 200
    assert (file_name(first).lower() == file_name(second).lower()) == (first == second)


def test_the_arrays_are_views_of_the_file(tmp_path):
    write_prepared(tmp_path / "p.safetensors", random_patient())
    read = only_view(read_prepared(tmp_path / "p.safetensors"))
    assert isinstance(read.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        read.images[0] = 0


def test_safetensors_itself_reads_the_file(tmp_path):
    from safetensors.numpy import load_file

    written = random_patient()
    write_prepared(tmp_path / "p.safetensors", written)
    arrays = load_file(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(arrays["tumor/images"], only_view(written).images)


@pytest.mark.parametrize("keep", [0, 5, 60, 0.5, 0.99])
def test_half_a_file_is_never_read(tmp_path, keep):
    path = tmp_path / "p.safetensors"
    write_prepared(path, random_patient())
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(StoreError, match=r"p\.safetensors: damaged or half-written") as caught:
        read_prepared(path)
    assert "run prepare again" in str(caught.value)


def test_another_kind_of_file_is_not_read(tmp_path):
    path = tmp_path / "p.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(StoreError, match="damaged"):
        read_prepared(path)


def test_a_full_disk_says_how_much_was_needed_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "p.safetensors"
    write_prepared(path, random_patient())
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"disk is full, \d+\.\d MB were needed"):
        write_prepared(path, random_patient())
    assert [file.name for file in tmp_path.iterdir()] == ["p.safetensors"]
    assert path.read_bytes() == before


def test_a_folder_without_a_manifest_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"no manifest\.csv"):
        PreparedStore(tmp_path)


def test_the_store_opens_without_simpleitk_or_torchio():
    import subprocess
    import sys

    code = (
        "import sys, mtl_hcc.store.prepared_store, mtl_hcc.imaging.preparation;"
        "assert not {'SimpleITK', 'torchio', 'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

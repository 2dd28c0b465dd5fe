import contextlib
import gzip
import struct
import tracemalloc
import warnings

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from damaged_headers import write_damaged
from drawing import make_scan, to_image
from one_view import one_view, prepare_only_view

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.nifti_file import nifti_fault, read_header

RECIPE = one_view(phases=["arterial"], spacing_mm=4, field_of_view_mm=48)
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def patient(write_patient):
    return write_patient("P007", phases=("arterial",))


def content(path):
    return bytearray(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize(
    ("place", "kind", "value", "message"),
    [
        (108, "f", INF, "vox_offset is inf"),
        (108, "f", NAN, "vox_offset is nan"),
        (108, "f", -352.0, "vox_offset is -352"),
        (108, "f", 1e9, "the header announces 64 x 50 x 30 voxels, 1 GB"),
        (72, "h", 0, "bitpix is 0 for voxels of type 4. Expected 16 bits"),
        (40, "h", 0, "the header announces no axes"),
        (40, "h", 12, "the header announces no axes"),
        (42, "h", 0, "the header announces 0 x 50 x 30"),
        (42, "h", -64, "the header announces -64 x 50 x 30"),
        (46, "h", 32767, "the header announces 64 x 50 x 32767 voxels, 0.21 GB, in a file of"),
        (80, "f", NAN, "voxel size nan x 1.5 x 3 mm"),
        (80, "f", -1.5, "voxel size -1.5 x 1.5 x 3 mm"),
        (88, "f", 1e30, "voxel size 1.5 x 1.5 x 1e+30 mm"),
        (112, "f", NAN, "the scaling of intensities is nan x + 0"),
        (112, "f", INF, "the scaling of intensities is inf x + 0"),
        (70, "h", 128, "a color image (voxels of type 128)"),
        (70, "h", 32, "a complex image (voxels of type 32)"),
        (70, "h", 4000, "an unknown image (voxels of type 4000)"),
        (268, "f", INF, "the place in patient space is (0, 0, 1, inf, -0, 0)"),
        (0, "i", 1234, "cannot be read (no NIfTI header"),
    ],
)
def test_a_broken_header_is_told_and_nothing_else_happens(patient, place, kind, value, message):
    path = patient.images["arterial"]
    data = content(path)
    struct.pack_into(f"<{kind}", data, place, value)
    path.write_bytes(gzip.compress(bytes(data), 1))
    with pytest.raises(ImageError) as caught:
        prepare_only_view(patient, RECIPE)
    assert message in str(caught.value)
    assert "patient P007, arterial" in str(caught.value)
    assert caught.value.remedy


def test_a_slope_of_zero_means_no_scaling_as_the_format_says(patient):
    path = patient.images["arterial"]
    data = content(path)
    struct.pack_into("<2f", data, 112, 0.0, 0.0)
    path.write_bytes(gzip.compress(bytes(data), 1))
    assert prepare_only_view(patient, RECIPE).quality["arterial_liver_mean"] == pytest.approx(
        make_scan()[0][make_scan()[1] > 0].mean()
    )


@pytest.mark.parametrize(
    "packed",
    [b"", gzip.compress(b"", mtime=0), gzip.compress(b"x" * 100, mtime=0)],
    ids=["no bytes", "nothing packed", "no header"],
)
def test_a_file_of_nothing_is_refused(patient, packed):
    patient.images["arterial"].write_bytes(packed)
    with pytest.raises(ImageError, match="cannot be read"):
        prepare_only_view(patient, RECIPE)


def test_a_small_file_that_unpacks_to_much_takes_little_memory(patient):
    path = patient.images["arterial"]
    with path.open("wb") as file, gzip.open(file, "wb", 1) as pack:
        pack.write(bytes(content(patient.regions["arterial"])))
        for _ in range(40):
            pack.write(bytes(2**23))
    tracemalloc.start()
    with pytest.raises(ImageError, match="more than the 96352 bytes that the header announces"):
        prepare_only_view(patient, RECIPE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_a_header_that_announces_too_much_is_refused_unread(patient):
    path = patient.images["arterial"]
    data = content(path)
    struct.pack_into("<4h", data, 40, 3, 32767, 32767, 30)
    path.write_bytes(gzip.compress(bytes(data), 1))
    with pytest.raises(
        ImageError, match=r"the header announces 32767 x 32767 x 30 voxels, 64.4 GB"
    ):
        prepare_only_view(patient, RECIPE)


def test_both_versions_of_the_format_and_both_byte_orders_are_known(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = make_scan()[0].astype(np.float32)
    values[0, 0, 0] = np.nan
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        for order in "<>":
            image = kind(values, np.eye(4), kind.header_class(endianness=order))
            image.to_filename(tmp_path / "scan.nii.gz")
            header = read_header(tmp_path / "scan.nii.gz")
            assert (header.dim, header.order, header.bits) == (values.shape, order, 32)
            assert nifti_fault(tmp_path / "scan.nii.gz").found == "1 voxels are NaN or infinite"
            whole = kind(np.nan_to_num(values), np.eye(4), kind.header_class(endianness=order))
            whole.to_filename(tmp_path / "whole.nii.gz")
            assert nifti_fault(tmp_path / "whole.nii.gz") is None


def test_a_file_damaged_at_random_is_read_or_refused_with_a_message(patient):
    sources = {role: files["arterial"] for role, files in _files(patient).items()}
    whole = {role: bytes(content(path)) for role, path in sources.items()}
    real = to_image(make_scan()[0].astype(np.float32), (1.5, 1.5, 3.0))
    for seed in range(30):
        role = ("images", "regions")[seed % 2]
        for name, path in sources.items():
            path.write_bytes(gzip.compress(whole[name], 1))
        if seed % 4 == 0:
            sitk.WriteImage(real, str(sources["images"]))
        write_damaged(sources[role], bytes(content(sources[role])), seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ImageError):  # Nothing else may be raised.
                assert np.isfinite(prepare_only_view(patient, RECIPE).images).all()


def _files(patient):
    return {"images": patient.images, "regions": patient.regions}

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.cohorts.dicom.geometry import volume_grid
from mtl_hcc.cohorts.dicom.pixels import read_voxels, write_nifti
from mtl_hcc.cohorts.dicom.volumes import find_volumes
from mtl_hcc.errors import ImageError


def load(folder):
    found = find_dicom_files(folder, progress=False)
    (volume,) = find_volumes([h for h in found.headers if h.modality == "CT"])
    return read_voxels(volume, where="P1"), volume_grid(volume, where="P1")


@pytest.fixture
def series(dicom_cohort):
    return dicom_cohort / "P1" / "series_2"


def test_every_slice_uses_its_own_slope_and_intercept(series, spoil):
    before, _ = load(series)

    def rescale(data, k):
        data.RescaleSlope, data.RescaleIntercept = "2" if k == 1 else "1", str(-1024 - k)

    spoil(sorted(series.glob("*.dcm")), rescale)
    after, _ = load(series)
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], 2 * (before[1].astype(int) + 1024) - 1025)
    np.testing.assert_array_equal(after[2], before[2] - 2)
    assert after.dtype == np.int16


def test_a_fractional_slope_gives_floats(series, spoil):
    before, _ = load(series)
    spoil(sorted(series.glob("*.dcm")), lambda data, k: setattr(data, "RescaleSlope", "0.5"))
    after, _ = load(series)
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, 0.5 * (before.astype(float) + 1024) - 1024)


def test_a_truncated_file_is_named(series):
    path = sorted(series.glob("*.dcm"))[3]
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ImageError, match=r"P1, file 00004\.dcm: .*damaged or truncated") as error:
        load(series)
    assert "Copy or export the file again" in str(error.value)


@pytest.mark.parametrize(
    ("syntax", "remedy"),
    [
        ("1.2.840.10008.1.2.4.70", "pip install pylibjpeg pylibjpeg-libjpeg"),
        ("1.2.840.10008.1.2.4.80", "pip install pylibjpeg pylibjpeg-libjpeg"),
        ("1.2.840.10008.1.2.4.100", "Export uncompressed"),
        ("1.2.3.4.5.6", "Export uncompressed"),
    ],
)
def test_an_unknown_compression_is_named_with_what_to_install(series, syntax, remedy):
    known = pydicom.pixels.decoders.base._PIXEL_DATA_DECODERS.get(syntax)
    if known and known[0].is_available:
        pytest.skip("this machine has a decoder for it")
    path = sorted(series.glob("*.dcm"))[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    data.PixelData = pydicom.encaps.encapsulate([b"\x01\x02\x03\x04"])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=False)
    with pytest.raises(ImageError, match=r"00001\.dcm") as error:
        load(series)
    assert syntax in str(error.value)
    assert remedy in str(error.value)


def test_a_color_image_is_refused(series, spoil):
    def color(data, k):
        data.PhotometricInterpretation, data.SamplesPerPixel = "RGB", 3

    spoil(sorted(series.glob("*.dcm"))[:1], color)
    with pytest.raises(ImageError, match="color image"):
        load(series)


def test_a_ct_slice_without_rescale_is_no_hounsfield_unit(series, spoil):
    spoil(sorted(series.glob("*.dcm"))[:1], lambda data, k: delattr(data, "RescaleSlope"))
    with pytest.raises(ImageError, match="without rescale slope"):
        load(series)


def test_nifti_keeps_voxels_and_grid(series, tmp_path):
    voxels, grid = load(series)
    write_nifti(tmp_path / "image.nii.gz", voxels, grid)
    image = sitk.ReadImage(str(tmp_path / "image.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels)
    np.testing.assert_allclose(image.GetOrigin(), grid.origin, atol=1e-4)
    np.testing.assert_allclose(image.GetSpacing(), grid.spacing, atol=1e-5)
    np.testing.assert_allclose(image.GetDirection(), grid.direction.ravel(), atol=1e-6)


def test_the_jpeg_2000_series_has_the_grid_and_the_liver_of_its_label_volume(shared_data):
    folder = shared_data / "images" / "totalseg_dicom"
    voxels, grid = load(folder / "dicom")
    labels = sitk.ReadImage(str(folder / "seg.nii.gz"))
    assert voxels.shape == labels.GetSize()[::-1] == (20, 512, 512)
    np.testing.assert_allclose(grid.spacing, labels.GetSpacing(), atol=1e-6)
    turned = np.array(labels.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(np.abs(grid.direction), np.abs(turned), atol=1e-6)
    frame = sitk.Image(*grid.size, sitk.sitkUInt8)
    frame.SetSpacing(grid.spacing)
    frame.SetOrigin(grid.origin)
    frame.SetDirection(grid.direction.ravel())
    liver = sitk.GetArrayFromImage(
        sitk.Resample(labels, frame, sitk.Transform(), sitk.sitkNearestNeighbor)
    )
    liver = liver == 5
    assert liver.sum() == (sitk.GetArrayFromImage(labels) == 5).sum()
    assert 0 < np.median(voxels[liver]) < 150  # liver, not air: rows are not upside down
    assert np.percentile(voxels[liver], 5) > -50


def test_dicom_slices_of_chaos_equal_its_nifti_slices(shared_data):
    folder = shared_data / "images" / "chaos_ct3"
    voxels, grid = load(folder / "dicom_4slices")
    whole = sitk.ReadImage(str(folder / "ct.nii.gz"))
    corner = grid.affine @ [26, 120, 0, 1]  # the NIfTI is cropped to columns 26.., rows 120..
    first = whole.TransformPhysicalPointToIndex(corner[:3])
    assert first[:2] == (0, 0)
    expected = sitk.GetArrayFromImage(whole)[first[2] : first[2] + 4]
    np.testing.assert_array_equal(voxels[:, 120:408, 26:346], expected)


def lossless(series):
    """Compress the slices as JPEG Lossless, which GDCM can and pydicom cannot."""
    for path in sorted(series.glob("*.dcm")):
        data = pydicom.dcmread(path)
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(path.with_suffix(".jpeg")))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(sitk.GetImageFromArray(data.pixel_array[None]))
        compressed = pydicom.dcmread(path.with_suffix(".jpeg"))
        path.with_suffix(".jpeg").unlink()
        data.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
        data.PixelData = compressed.PixelData
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        data.save_as(path)
    return str(data.file_meta.TransferSyntaxUID)


def test_jpeg_lossless_is_read_through_simpleitk(series):
    before, _ = load(series)
    assert lossless(series) == "1.2.840.10008.1.2.4.70"
    after, _ = load(series)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_jpeg_lossless_slice_is_refused(series, share):
    lossless(series)
    path = sorted(series.glob("*.dcm"))[3]
    data = pydicom.dcmread(path)
    (frame,) = pydicom.encaps.generate_frames(data.PixelData, number_of_frames=1)
    data.PixelData = pydicom.encaps.encapsulate([frame[: int(share * len(frame)) // 2 * 2]])
    data.save_as(path)
    with pytest.raises(ImageError, match=r"00004\.dcm"):
        load(series)

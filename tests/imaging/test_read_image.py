import struct
from gzip import compress, decompress

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import make_scan, to_image
from one_view import one_view, prepare_only_view

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.read_image import Place, read_image
from mtl_hcc.patient import Patient

SMALL = one_view(phases=["arterial"], spacing_mm=2, field_of_view_mm=48)
SPACING = (1.5, 1.5, 3.0)


def refused(patient, preparation=SMALL):
    """Prepare and return the message, which must name patient, phase and file."""
    with pytest.raises(ImageError) as caught:
        prepare_only_view(patient, preparation)
    error = caught.value
    assert patient.patient_id in str(error)
    assert error.remedy
    return str(error)


@pytest.fixture
def patient(write_patient) -> Patient:
    return write_patient("P007", phases=("arterial",))


def replace(path, values, spacing=SPACING, **geometry):
    sitk.WriteImage(to_image(values, spacing, **geometry), str(path))


def test_nan_voxels_are_counted(patient):
    values = make_scan()[0].astype(np.float32)
    values[3, 4, 5:7] = np.nan
    replace(patient.images["arterial"], values)
    message = refused(patient)
    assert "2 voxels are NaN" in message
    assert "arterial.nii.gz" in message


def test_a_constant_image_is_refused(patient):
    replace(patient.images["arterial"], np.full((30, 50, 64), -1024, np.int16))
    assert "every voxel is -1024" in refused(patient)


def test_an_image_constant_inside_the_regions_is_refused(patient):
    hu, labels = make_scan()
    hu[labels > 0] = 60
    replace(patient.images["arterial"], hu)
    assert "constant inside liver and tumor" in refused(patient)


def test_a_4d_image_is_refused(patient):
    series = [to_image(make_scan(seed=i)[0], SPACING) for i in range(2)]
    sitk.WriteImage(sitk.JoinSeries(series), str(patient.images["arterial"]))
    assert "4D image of 64 x 50 x 30 x 2" in refused(patient)


def test_a_4d_image_of_one_time_point_is_an_image(patient):
    sitk.WriteImage(
        sitk.JoinSeries([to_image(make_scan()[0], SPACING)]), str(patient.images["arterial"])
    )
    assert prepare_only_view(patient, SMALL).phase_present.all()


def test_a_color_image_is_refused(patient):
    color = sitk.Compose([sitk.Cast(to_image(make_scan()[1]), sitk.sitkUInt8)] * 3)
    sitk.WriteImage(color, str(patient.images["arterial"]))
    assert "a color image (3 values per voxel)" in refused(patient)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_truncated_file_is_refused_though_the_reader_would_fill_it_with_zeros(patient, share):
    path = patient.images["arterial"]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "truncated or damaged" in refused(patient)


def test_a_truncated_uncompressed_file_is_refused(patient, tmp_path):
    path = tmp_path / "arterial.nii"
    path.write_bytes(decompress(patient.images["arterial"].read_bytes())[:-5000])
    with pytest.raises(ImageError, match=r"truncated: \d+ bytes of"):
        read_image(Place("P007", "arterial", path))


def test_a_file_of_another_kind_is_refused(patient):
    patient.images["arterial"].write_text("not an image")
    assert "cannot be read" in refused(patient)


def test_a_missing_file_is_named(patient):
    patient.images["arterial"].unlink()
    assert "no such file" in refused(patient)


def test_zero_spacing_is_refused_though_the_reader_would_take_one(patient):
    path = patient.images["arterial"]
    content = bytearray(decompress(path.read_bytes()))
    content[88:92] = struct.pack("<f", 0.0)
    path.write_bytes(compress(bytes(content)))
    assert "voxel size 1.5 x 1.5 x 0 mm" in refused(patient)


def test_an_empty_map_is_refused(patient):
    replace(patient.regions["arterial"], np.zeros((30, 50, 64), np.uint8))
    assert "the label map is empty" in refused(patient)


def test_a_map_without_tumor_is_refused(patient):
    replace(patient.regions["arterial"], (make_scan()[1] > 0).astype(np.uint8))
    assert "no tumor voxel (label 2)" in refused(patient)


def test_a_tumor_of_one_voxel_is_refused(patient):
    labels = np.minimum(make_scan()[1], 1)
    labels[15, 25, 32] = 2
    replace(patient.regions["arterial"], labels)
    assert "a tumor of 1 voxels, 6.8 mm3" in refused(patient)


@pytest.mark.parametrize(
    ("spoil", "told", "remedy"),
    [
        (lambda labels: labels * np.uint8(7), "unknown labels 7, 14.", "Renumber"),
        (
            lambda labels: (labels > 0) * np.uint8(255),
            "255: a mask of 0 and 255",
            "cannot say which",
        ),
        (
            lambda labels: np.linspace(0, 1, labels.size, dtype=np.float32).reshape(labels.shape),
            "and 95993 more: probabilities, not labels",
            "one half",
        ),
        (lambda labels: labels * np.float32(0.75), "0.75, 1.5: interpolated labels", "nearest"),
        (lambda labels: labels * np.float32(1.001), "labels that lost digits", "whole numbers"),
        (
            lambda labels: np.arange(labels.size, dtype=np.int16).reshape(labels.shape) % 1500,
            "unknown labels 4, 5, 6, 7, 8 and 1491 more: an image, not a label map",
            "not the scan",
        ),
    ],
    ids=["others", "0 and 255", "probabilities", "interpolated", "scaled", "image"],
)
def test_what_is_no_label_map_is_called_by_what_it_seems_to_be(patient, spoil, told, remedy):
    replace(patient.regions["arterial"], spoil(make_scan()[1]))
    message = refused(patient)
    assert told in message
    assert remedy in message
    assert len(message) < 500


def test_whole_numbers_saved_as_floats_are_labels(patient):
    replace(patient.regions["arterial"], make_scan()[1].astype(np.float64))
    prepare_only_view(patient, SMALL)


def test_unknown_labels_are_listed(patient):
    labels = make_scan()[1]
    labels[0, 0, :2] = [5, 9]
    replace(patient.regions["arterial"], labels)
    message = refused(patient)
    assert "unknown labels 5, 9" in message
    assert "arterial_regions.nii.gz" in message


def test_a_map_outside_the_image_is_refused(patient):
    replace(patient.regions["arterial"], make_scan()[1], origin=(500.0, 0.0, 0.0))
    assert "outside the image" in refused(patient)


def test_a_map_of_another_patient_space_is_refused(patient):
    replace(patient.regions["arterial"], make_scan()[1], origin=(70.0, 10.0, 0.0))
    assert "another patient space" in refused(patient)


def test_a_map_on_another_grid_of_the_same_space_is_used_and_said_so(patient):
    same = prepare_only_view(patient, SMALL)
    labels = make_scan(size=(96, 75, 60), spacing=(1.0, 1.0, 1.5))[1]
    replace(patient.regions["arterial"], labels, (1.0, 1.0, 1.5))
    other = prepare_only_view(patient, SMALL)
    assert same.quality["mask_resampled"] == ""
    assert other.quality["mask_resampled"] == "arterial"
    assert other.quality["tumor_volume_mm3"] == pytest.approx(
        same.quality["tumor_volume_mm3"], rel=0.03
    )
    assert (same.regions & other.regions & 2).astype(bool).sum() > 0.9 * (other.regions & 2).astype(
        bool
    ).sum()


def test_a_missing_phase_is_named_unless_it_may_be_missing(patient):
    wanted = {"phases": ["arterial", "delayed"], "spacing_mm": 2.0, "field_of_view_mm": 48.0}
    assert "no delayed phase" in refused(patient, one_view(**wanted))
    prepared = prepare_only_view(patient, one_view(**wanted, missing_phase="keep"))
    assert prepared.phase_present.tolist() == [True, False]
    assert not prepared.images[1].any()
    assert prepared.quality["missing_phases"] == "delayed"


def test_a_patient_without_any_map_is_refused(patient):
    bare = Patient("P007", patient.images, {})
    assert "no label map" in refused(bare)

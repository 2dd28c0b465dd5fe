import json

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawn_segments import boxes, write_segmentation

from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.cohorts.dicom.geometry import volume_grid
from mtl_hcc.cohorts.dicom.pixels import read_voxels
from mtl_hcc.cohorts.dicom.segmentation import (
    check_frame_of_reference,
    open_segmentation,
    read_label_map,
)
from mtl_hcc.cohorts.dicom.volumes import find_volumes
from mtl_hcc.errors import ImageError


def test_the_segmentation_of_dcmqi_gives_its_published_numbers(shared_data):
    folder = shared_data / "dicom_seg_dcmqi"
    expected = json.loads((folder / "expected.json").read_text())
    found = find_dicom_files(folder, progress=False)
    (volume,) = find_volumes([h for h in found.headers if h.modality == "CT"])
    grid = volume_grid(volume, where="P1")
    assert grid.spacing[2] == 1.0  # the tag SliceThickness says 1.25
    segmentation = open_segmentation(folder / "liver.dcm", where="P1")
    liver = read_label_map(segmentation, {}, grid, where="P1").labels == 1
    assert liver.sum() == 107_098 == expected["voxels"]
    voxels = read_voxels(volume, where="P1")
    assert voxels[liver].mean() == pytest.approx(37.3289, abs=5e-5)
    same = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "liver_seg.nrrd"))) > 0
    np.testing.assert_array_equal(liver, same)


def test_tumor_wins_over_loat_and_liver_and_vessels_are_left_out(slices, grid, tmp_path):
    masks = boxes(
        ((1, 5), (2, 30), (2, 30)),
        ((2, 4), (5, 12), (5, 12)),
        ((2, 4), (8, 20), (8, 20)),
        ((0, 6), (0, 36), (0, 3)),
        ((0, 6), (0, 36), (30, 33)),
    )
    names = ["Liver", "Mass", "LOAT", "Portal vein", "Abdominal aorta"]
    segmentation = write_segmentation(tmp_path / "s.dcm", slices, masks, names)
    label_map = read_label_map(segmentation, {}, grid, where="P1")
    expected = np.zeros(masks.shape[:3], dtype=np.uint8)
    for k, label in ((0, 1), (2, 3), (1, 2)):
        expected[masks[..., k] > 0] = label
    np.testing.assert_array_equal(label_map.labels, expected)
    assert label_map.grid is grid


def test_a_fractional_voxel_counts_from_one_half_on(slices, grid, tmp_path):
    fractions = np.zeros((6, 36, 40), dtype=np.float32)
    fractions[2, 5, 5:9] = [0.2, 0.45, 0.55, 1.0]
    segmentation = write_segmentation(
        tmp_path / "s.dcm", slices, fractions, ["Liver"], kind="FRACTIONAL"
    )
    label_map = read_label_map(segmentation, {}, grid, where="P1")
    assert label_map.labels[2, 5, 5:9].tolist() == [0, 0, 1, 1]
    assert label_map.labels.sum() == 2


def test_a_segmentation_of_coarser_voxels_keeps_its_own_grid(slices, grid, tmp_path):
    shape = (3, 18, 20)
    volume = hd.Volume.from_components(
        boxes(((0, 3), (3, 9), (4, 8)), shape=shape)[..., 0],
        spacing=[5.0, 1.6, 1.4],
        coordinate_system="PATIENT",
        position=[1.0, 2.0, 3.0],
        direction=np.eye(3)[:, ::-1] * [1, 1, 1],
        frame_of_reference_uid=slices[0].FrameOfReferenceUID,
    )
    segmentation = write_segmentation(tmp_path / "s.dcm", slices, volume, ["Liver"])
    label_map = read_label_map(segmentation, {}, grid, where="P1")
    np.testing.assert_allclose(label_map.grid.spacing, (1.4, 1.6, 5.0))
    assert label_map.labels.sum() == 3 * 6 * 4
    z, y, x = np.argwhere(label_map.labels).mean(axis=0)
    place = label_map.grid.affine @ [x, y, z, 1]
    np.testing.assert_allclose(place[:3], [1.0 + 5.5 * 1.4, 2.0 + 5.5 * 1.6, 8.0], atol=1e-6)


def test_another_frame_of_reference_is_refused(slices, tmp_path):
    segmentation = write_segmentation(
        tmp_path / "drawn.dcm", slices, boxes(((1, 2), (1, 9), (1, 9))), ["Liver"]
    )
    check_frame_of_reference(segmentation, slices[0].FrameOfReferenceUID, where="patient P1")
    with pytest.raises(ImageError, match=r"patient P1: .*drawn\.dcm has another frame") as error:
        check_frame_of_reference(segmentation, "1.2.3", where="patient P1")
    assert "drawn on another scan" in str(error.value)


def test_a_file_that_is_no_segmentation_is_refused(dicom_cohort):
    path = next((dicom_cohort / "P1" / "series_2").glob("*.dcm"))
    with pytest.raises(ImageError, match="cannot be read"):
        open_segmentation(path, where="P1")

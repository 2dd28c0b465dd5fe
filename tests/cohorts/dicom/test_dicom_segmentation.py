import json

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from mtl_hcc.cohorts.dicom.geometry import volume_grid
from mtl_hcc.cohorts.dicom.pixels import read_voxels
from mtl_hcc.cohorts.dicom.scan import scan_tree
from mtl_hcc.cohorts.dicom.segmentation import (
    SEGMENT_RULES,
    check_frame_of_reference,
    merge_label_maps,
    open_segmentation,
    read_label_map,
)
from mtl_hcc.cohorts.dicom.volumes import find_volumes
from mtl_hcc.errors import ImageError


@pytest.fixture
def slices(dicom_cohort):
    files = sorted((dicom_cohort / "P1" / "series_2").glob("*.dcm"))
    return [pydicom.dcmread(path) for path in files]


@pytest.fixture
def grid(dicom_cohort):
    scan = scan_tree(dicom_cohort / "P1" / "series_2", progress=False)
    return volume_grid(find_volumes(scan.headers)[0], where="P1")


def write_segmentation(path, slices, masks, labels, kind="BINARY", **arguments):
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=k,
            segment_label=label,
            segmented_property_category=hd.sr.CodedConcept("85756007", "SCT", "Tissue"),
            segmented_property_type=hd.sr.CodedConcept("85756007", "SCT", "Tissue"),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for k, label in enumerate(labels, 1)
    ]
    hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID(),
        series_number=300,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **arguments,
    ).save_as(path)
    return open_segmentation(path, where="P1")


def boxes(*corners, shape=(6, 36, 40)):
    masks = np.zeros((*shape, len(corners)), dtype=np.uint8)
    for k, (z, y, x) in enumerate(corners):
        masks[slice(*z), slice(*y), slice(*x), k] = 1
    return masks


def test_the_segmentation_of_dcmqi_gives_its_published_numbers(shared_data):
    folder = shared_data / "dicom_seg_dcmqi"
    expected = json.loads((folder / "expected.json").read_text())
    scan = scan_tree(folder, progress=False)
    (volume,) = find_volumes([h for h in scan.headers if h.modality == "CT"])
    grid = volume_grid(volume, where="P1")
    assert grid.spacing[2] == 1.0  # the tag SliceThickness says 1.25
    segmentation = open_segmentation(folder / "liver.dcm", where="P1")
    liver = read_label_map(segmentation, SEGMENT_RULES, grid, where="P1").labels == 1
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
    label_map = read_label_map(segmentation, SEGMENT_RULES, grid, where="P1")
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
    label_map = read_label_map(segmentation, SEGMENT_RULES, grid, where="P1")
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
    label_map = read_label_map(segmentation, SEGMENT_RULES, grid, where="P1")
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


def test_segments_without_liver_or_tumor_are_listed(slices, grid, tmp_path):
    masks = boxes(((1, 2), (1, 9), (1, 9)), ((2, 3), (1, 9), (1, 9)))
    segmentation = write_segmentation(tmp_path / "s.dcm", slices, masks, ["Spleen", "Nodule 1"])
    with pytest.raises(ImageError, match="only Spleen, Nodule 1") as error:
        read_label_map(segmentation, SEGMENT_RULES, grid, where="P1")
    assert "segment_rules" in str(error.value)
    rules = {**SEGMENT_RULES, "tumor": "nodule"}
    assert (read_label_map(segmentation, rules, grid, where="P1").labels == 2).sum() == 64


def test_two_segmentations_of_one_phase_are_joined(slices, grid, tmp_path):
    maps = [
        read_label_map(
            write_segmentation(tmp_path / f"{name}.dcm", slices, boxes(corners), [name]),
            SEGMENT_RULES,
            grid,
            where="P1",
        )
        for name, corners in (
            ("Tumor", ((2, 3), (5, 9), (5, 9))),
            ("Liver", ((1, 4), (2, 20), (2, 20))),
        )
    ]
    merged = merge_label_maps(maps, where="P1").labels
    assert (merged == 2).sum() == 16
    assert (merged == 1).sum() == 3 * 18 * 18 - 16


def test_a_file_that_is_no_segmentation_is_refused(dicom_cohort):
    path = next((dicom_cohort / "P1" / "series_2").glob("*.dcm"))
    with pytest.raises(ImageError, match="cannot be read"):
        open_segmentation(path, where="P1")

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian

from mtl_hcc.cohorts.dicom import DicomTree
from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.cohorts.dicom.geometry import volume_grid
from mtl_hcc.cohorts.dicom.pixels import read_voxels
from mtl_hcc.cohorts.dicom.volumes import find_volumes
from mtl_hcc.errors import ImageError

PHASES = ("ARTERIAL", "PORTAL_VENOUS", "DELAYED")

COPIED = [
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "FrameOfReferenceUID",
    "HighBit",
    "PatientID",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "Rows",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "StudyDate",
    "StudyInstanceUID",
]


def item(**values):
    data = Dataset()
    for name, value in values.items():
        setattr(data, name, value)
    return data


def slices_of(folder):
    files = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    return sorted(files, key=lambda data: int(data.InstanceNumber))


def merge(stacks, path, *, modality="CT", **per_frame):
    """Put classic slices into one enhanced file; ``per_frame``: (slice, stack number) -> groups."""
    first = stacks[0][0]
    meta = FileMetaDataset()
    kind = EnhancedCTImageStorage if modality == "CT" else EnhancedMRImageStorage
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = kind, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for name in COPIED:
        setattr(data, name, first[name].value)
    data.SOPClassUID, data.Modality = kind, modality
    data.AcquisitionDateTime = "20000101090000"  # of the whole examination
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=first.ImageOrientationPatient)]
    shared.PixelMeasuresSequence = [
        item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)
    ]
    data.SharedFunctionalGroupsSequence = [shared]
    frames, pixels = [], []
    for k, stack in enumerate(stacks):
        for each in stack:
            frame = Dataset()
            moment = f"{each.AcquisitionDate}{each.AcquisitionTime}"
            content = item(FrameAcquisitionDateTime=moment, StackID=str(k))
            content.FrameAcquisitionNumber = int(each.AcquisitionNumber)
            frame.FrameContentSequence = [content]
            frame.PlanePositionSequence = [item(ImagePositionPatient=each.ImagePositionPatient)]
            frame.PixelValueTransformationSequence = [
                item(RescaleSlope=each.RescaleSlope, RescaleIntercept=each.RescaleIntercept)
            ]
            for name, make in per_frame.items():
                setattr(frame, name, [make(each, k)])
            frames.append(frame)
            pixels.append(each.PixelData)
    data.PerFrameFunctionalGroupsSequence = frames
    data.NumberOfFrames = len(frames)
    data.PixelData = b"".join(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def volumes_in(folder):
    return find_volumes(find_dicom_files(folder, progress=False).headers)


def test_all_phases_in_one_enhanced_object_become_the_same_cohort(
    dicom_cohort, nifti_cohort, spoil
):
    for patient in ("P1", "P2"):
        stacks = []
        for number in (300, 302):
            shutil.rmtree(dicom_cohort / patient / f"series_{number}")
        for number in (2, 3, 4):
            stacks.append(slices_of(dicom_cohort / patient / f"series_{number}"))
            shutil.rmtree(dicom_cohort / patient / f"series_{number}")
        merge(
            stacks,
            dicom_cohort / patient / "enhanced" / "1.dcm",
            ContrastBolusUsageSequence=lambda each, k: item(
                ContrastBolusAgentNumber=1,
                ContrastBolusAgentAdministered="YES",
                ContrastBolusAgentPhase=PHASES[k],
            ),
        )
        instance = stacks[0][0].SOPInstanceUID

        def refer_to_the_second_phase(data, k, instance=instance):
            for j, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
                for image in frame.DerivationImageSequence[0].SourceImageSequence:
                    image.ReferencedSOPInstanceUID = instance
                    image.ReferencedFrameNumber = 7 + j % 6

        spoil([dicom_cohort / patient / "series_301" / "1.dcm"], refer_to_the_second_phase)
    cohort = DicomTree(progress=False).read(dicom_cohort)
    assert cohort.quarantine.empty, cohort.quarantine["reason"].tolist()
    for patient_id, patient in cohort.patients.items():
        assert list(patient.images) == ["arterial", "portal_venous", "delayed"]
        assert patient.regions["portal_venous"].name == "portal_venous_regions.nii.gz"
        for path in patient.images.values():
            original = sitk.ReadImage(str(nifti_cohort / "images" / patient_id / path.name))
            image = sitk.ReadImage(str(path))
            np.testing.assert_array_equal(
                sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(original)
            )
            np.testing.assert_allclose(image.GetOrigin(), original.GetOrigin(), atol=1e-5)
            np.testing.assert_allclose(image.GetSpacing(), original.GetSpacing(), atol=1e-5)
            np.testing.assert_allclose(image.GetDirection(), original.GetDirection(), atol=1e-5)


def test_frames_keep_their_own_times_contrast_and_rescale(dicom_cohort, tmp_path):
    stacks = [slices_of(dicom_cohort / "P1" / f"series_{number}") for number in (2, 3)]
    for each in stacks[1]:
        each.RescaleSlope, each.RescaleIntercept = "2", "-1000"
    merge(
        stacks,
        tmp_path / "one" / "1.dcm",
        ContrastBolusUsageSequence=lambda each, k: item(
            ContrastBolusAgentAdministered="NO" if k == 0 else "YES"
        ),
    )
    first, second = volumes_in(tmp_path / "one")
    assert [len(first.slices), len(second.slices)] == [6, 6]
    assert second.seconds - first.seconds == 40.0
    assert [first.first.agent, second.first.agent] == ["NONE", ""]
    assert first.slices[2].name == "1.dcm, frame 3"
    stored = np.stack([each.pixel_array for each in stacks[1]])
    np.testing.assert_array_equal(read_voxels(second, where=""), 2 * stored.astype(int) - 1000)
    assert volume_grid(first, where="").spacing == pytest.approx((0.7, 0.8, 2.5))


def test_an_enhanced_mr_image_is_divided_by_echo_and_diffusion_weighting(dicom_cohort, tmp_path):
    stack = slices_of(dicom_cohort / "P1" / "series_2")
    merge(
        [stack, stack],
        tmp_path / "echo" / "1.dcm",
        modality="MR",
        MREchoSequence=lambda each, k: item(EffectiveEchoTime=(2.3, 4.6)[k]),
    )
    merge(
        [stack, stack],
        tmp_path / "diffusion" / "1.dcm",
        modality="MR",
        MRDiffusionSequence=lambda each, k: item(DiffusionBValue=(50.0, 800.0)[k]),
    )
    assert [v.first.echo_time for v in volumes_in(tmp_path / "echo")] == [2.3, 4.6]
    assert [v.first.b_value for v in volumes_in(tmp_path / "diffusion")] == [50.0, 800.0]


def test_a_legacy_converted_object_of_another_library_is_the_same_volume(dicom_cohort, tmp_path):
    import highdicom as hd

    folder = dicom_cohort / "P1" / "series_2"
    slices = slices_of(folder)
    for each in slices:
        each.PatientOrientation = ["L", "P"]
        each.KVP, each.ContentDate, each.ContentTime = "120", "20000101", "090000"
        each.PositionReferenceIndicator = each.Laterality = ""
    together = hd.legacy.LegacyConvertedEnhancedCTImage(slices, str(hd.UID()), 2, str(hd.UID()), 1)
    (tmp_path / "one").mkdir()
    together.save_as(tmp_path / "one" / "1.dcm")
    (volume,), (classic,) = volumes_in(tmp_path / "one"), volumes_in(folder)
    np.testing.assert_array_equal(read_voxels(volume, where=""), read_voxels(classic, where=""))
    mine, theirs = volume_grid(volume, where=""), volume_grid(classic, where="")
    np.testing.assert_allclose(mine.affine, theirs.affine, atol=1e-5)


def test_many_frames_without_places_are_refused(dicom_cohort):
    folder = dicom_cohort / "P1" / "series_2"
    slices = slices_of(folder)
    capture = slices[0]
    capture.NumberOfFrames = len(slices)
    capture.PixelData = b"".join(each.PixelData for each in slices)
    shutil.rmtree(folder)
    folder.mkdir()
    capture.save_as(Path(folder) / "1.dcm")
    (volume,) = volumes_in(folder)
    with pytest.raises(ImageError, match="holds 6 frames and does not say where they lie"):
        volume_grid(volume, where="P1")

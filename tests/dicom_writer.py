"""Writes a NIfTI cohort as DICOM slices and SEG objects, for tests of the reader of DICOM trees."""

import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from joblib import Parallel, delayed
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)
from rich.progress import track

from mtl_hcc.cohorts.nifti_folder import find_files
from mtl_hcc.errors import CohortError, ImageError
from mtl_hcc.patient import CT_PHASES
from mtl_hcc.regions import Label

PHASE_SECONDS = {"arterial": 30.0, "portal_venous": 70.0, "delayed": 180.0}
_INJECTION = 9 * 3600 + 30 * 60
SEGMENTS = {Label.LIVER: "Liver", Label.TUMOR: "Mass", Label.LOAT: "Lesser omental fat (LOAT)"}
_CODES = {
    Label.LIVER: ("10200004", "Liver"),
    Label.TUMOR: ("4147007", "Mass"),
    Label.LOAT: ("55603005", "Adipose tissue"),
}


def write_dicom_cohort(
    cohort_root: Path,
    output: Path,
    *,
    series: Literal["per_phase", "one"] = "per_phase",
    told_by: Literal["description", "bolus", "order"] = "description",
    compression: Literal["none", "jpeg2000"] = "none",
    workers: int = 1,
    progress: bool = True,
) -> Path:
    """Write the images and label maps of a NIfTI cohort folder as DICOM.

    Files go to ``<patient_id>/<series>/<instance>.dcm``, one SEG per label map to
    ``<patient_id>/<series>/1.dcm``; ``patients.csv`` is copied. The liver segment holds the whole
    organ, tumor included: segments overlap, as in drawn data. Values must be whole HU.

    Args:
        cohort_root: Cohort folder with CT phases.
        output: Folder to write; must not exist or be empty.
        series: One series for each phase, or all phases in ``one`` series, told apart by
            AcquisitionNumber.
        told_by: What tells the phases: the series' description, the time since the contrast
            injection, or only the order of acquisition.
        compression: ``jpeg2000`` is lossless; it needs slices of at least 32 x 32 pixels.
        workers: Processes, as in joblib.
        progress: Show a progress bar.

    Returns:
        ``output``.

    Raises:
        CohortError: ``output`` holds files already.
        ImageError: A voxel is not a whole number, or a label map is on another grid.
    """
    if output.is_dir() and any(output.iterdir()):
        raise CohortError("the folder is not empty", where=str(output), remedy="Choose another.")
    output.mkdir(parents=True, exist_ok=True)
    if (cohort_root / "patients.csv").is_file():
        shutil.copyfile(cohort_root / "patients.csv", output / "patients.csv")
    folders = sorted(path for path in (cohort_root / "images").iterdir() if path.is_dir())
    written = Parallel(n_jobs=workers, return_as="generator_unordered")(
        delayed(write_dicom_patient)(
            folder, output / folder.name, series=series, told_by=told_by, compression=compression
        )
        for folder in folders
    )
    for _ in track(written, "Writing DICOM", total=len(folders), disable=not progress):
        pass
    return output


def write_dicom_patient(
    folder: Path,
    output: Path,
    *,
    series: Literal["per_phase", "one"] = "per_phase",
    told_by: Literal["description", "bolus", "order"] = "description",
    compression: Literal["none", "jpeg2000"] = "none",
) -> None:
    """Write one patient's NIfTI files as DICOM; arguments as in :func:`write_dicom_cohort`."""
    found = find_files(folder, CT_PHASES)
    if isinstance(found, str):
        raise CohortError(found)
    images, regions = found
    slices: dict[str, list[FileDataset]] = {}
    for k, phase in enumerate(phase for phase in CT_PHASES if phase in images):
        number = 2 if series == "one" else 2 + k
        description = f"Liver {phase}" if told_by == "description" else "Liver"
        common = {
            "PatientID": folder.name,
            "StudyInstanceUID": _uid(folder.name, "study"),
            "SeriesInstanceUID": _uid(folder.name, f"series {number}"),
            "SeriesNumber": number,
            "SeriesDescription": "Liver 3 phases" if series == "one" else description,
            "FrameOfReferenceUID": _uid(folder.name, "frame of reference"),
            "AcquisitionNumber": k + 1,
            "AcquisitionTime": _time(_INJECTION + PHASE_SECONDS[phase]),
        }
        if told_by == "bolus":
            common["ContrastBolusStartTime"] = _time(_INJECTION)
        slices[phase] = _write_slices(
            images[phase], output / f"series_{number}", common, 10000 * k, compression
        )
    by_file: dict[Path, list[str]] = {}
    for phase, path in regions.items():
        by_file.setdefault(path, []).append(phase)
    for k, (path, phases) in enumerate(by_file.items()):
        # a map of all phases was drawn on one of them: SEG objects refer to one
        phase = "portal_venous" if "portal_venous" in phases else phases[0]
        labels, _ = _read(path)
        if labels.shape[0] != len(slices[phase]):
            raise ImageError("label map on another grid than its phase", where=str(path))
        place = output / f"series_{300 + k}"
        place.mkdir(parents=True)
        _segmentation(labels, slices[phase], 300 + k).save_as(place / "1.dcm")


def _write_slices(
    image: Path, folder: Path, common: dict[str, Any], first: int, compression: str
) -> list[FileDataset]:
    voxels, geometry = _read(image)
    if not np.array_equal(voxels, np.round(voxels)):
        raise ImageError("voxels that are not whole HU", where=str(image))
    folder.mkdir(parents=True, exist_ok=True)
    slices = []
    for z, plane in enumerate(voxels):
        instance = first + z + 1
        data = _slice(plane, geometry, z, {**common, "InstanceNumber": instance})
        if compression == "jpeg2000":
            data.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
        data.save_as(folder / f"{instance:05d}.dcm", enforce_file_format=True)
        slices.append(data)
    return slices


def _read(path: Path) -> tuple[np.ndarray, Any]:
    import SimpleITK as sitk  # noqa: N813  # only conversion needs it

    image = sitk.ReadImage(str(path))
    return sitk.GetArrayFromImage(image), image


def _uid(patient_id: str, name: str) -> str:
    return str(generate_uid(entropy_srcs=[patient_id, name]))


def _time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02d}{int(minutes) % 60:02d}{rest:09.6f}"


def _decimals(values: Any) -> list[str]:
    return [pydicom.valuerep.format_number_as_ds(float(value)) for value in values]


def _slice(plane: np.ndarray, geometry: Any, z: int, common: dict[str, Any]) -> FileDataset:
    """Return one CT slice; stored values are HU + 1024, as scanners do."""
    instance = _uid(common["SeriesInstanceUID"], str(common["InstanceNumber"]))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, instance
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Manufacturer = "mtl_hcc"
    data.PatientName = data.PatientBirthDate = data.PatientSex = ""
    data.StudyDate = data.AcquisitionDate = "20000101"
    data.StudyTime = "090000"
    data.StudyID = data.AccessionNumber = data.ReferringPhysicianName = ""
    for name, value in common.items():
        setattr(data, name, value)
    direction = np.array(geometry.GetDirection()).reshape(3, 3)
    spacing = geometry.GetSpacing()
    data.ImageOrientationPatient = _decimals([*direction[:, 0], *direction[:, 1]])
    data.ImagePositionPatient = _decimals(geometry.TransformIndexToPhysicalPoint((0, 0, z)))
    data.PixelSpacing = _decimals([spacing[1], spacing[0]])
    data.SliceThickness = _decimals([spacing[2]])[0]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = plane.shape
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    data.PixelData = (plane.astype(np.int32) + 1024).astype("<i2").tobytes()
    return data


def _segmentation(labels: np.ndarray, slices: list[FileDataset], number: int) -> Any:
    """Return a binary SEG with overlapping segments: the liver holds the tumor."""
    import highdicom as hd

    masks, descriptions = [], []
    for label, name in SEGMENTS.items():
        mask = labels == label
        if label == Label.LIVER:
            mask = (labels == Label.LIVER) | (labels == Label.TUMOR)
        if not mask.any():
            continue
        masks.append(mask)
        code, meaning = _CODES[label]
        descriptions.append(
            hd.seg.SegmentDescription(
                segment_number=len(masks),
                segment_label=name,
                segmented_property_category=hd.sr.CodedConcept("85756007", "SCT", "Tissue"),
                segmented_property_type=hd.sr.CodedConcept(code, "SCT", meaning),
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
        )
    if not masks:
        raise ImageError("an empty label map", where=f"patient {slices[0].PatientID}")
    series = _uid(slices[0].SeriesInstanceUID, f"segmentation {number}")
    return hd.seg.Segmentation(
        source_images=slices,
        pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=series,
        series_number=number,
        sop_instance_uid=_uid(series, "1"),
        instance_number=1,
        manufacturer="mtl_hcc",
        manufacturer_model_name="mtl_hcc",
        software_versions="1",
        device_serial_number="1",
        series_description="Segmentation",
    )

"""Which facts of a DICOM header are used, and how they are read: no names, no birth dates."""

import datetime
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from mtl_hcc.cohorts.dicom.frames import FUNCTIONAL_GROUPS, flat_frames

_TAGS = [
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "Columns",
    "ContrastBolusAgent",
    "ContrastBolusStartTime",
    "ConvolutionKernel",
    "FrameOfReferenceUID",
    "EchoTime",
    "GantryDetectorTilt",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "IrradiationEventUID",
    "Modality",
    "NumberOfFrames",
    "PatientID",
    "PixelSpacing",
    "Rows",
    "SOPInstanceUID",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SliceThickness",
    "StudyDate",
    "StudyInstanceUID",
    "TemporalPositionIdentifier",
    "TriggerTime",
]


@dataclass(frozen=True)
class DicomHeader:
    """What is kept of one DICOM file. Absent or unreadable values are ``None`` (or empty text).

    Attributes:
        path: The file.
        folder: Its folder relative to the tree, with ``/``.
        stamp: Size in bytes and modification time in nanoseconds, for incremental conversion.
        orientation: Direction cosines of a row, then of a column (6 numbers).
        position: Center of the first pixel in mm, patient coordinates (3 numbers).
        pixel_spacing: Distance between rows, then between columns, in mm.
        seconds: When the slice was acquired, in seconds; only differences mean something.
        after_bolus: Seconds from the start of the contrast injection to the slice.
        event: Names the irradiation that all reconstructions of one acquisition share.
        agent: The contrast agent, as the scanner names it.
        contrast_phase: The phase, as the scanner of an enhanced image names it.
        kernel: Reconstruction kernel.
        echo_time: Milliseconds, and ``b_value`` in s/mm2: MR images that differ in them are not
            one volume.
        frame: Number of the frame, from 0, in an enhanced multi-frame file; ``None`` where the
            file is the slice.
        stack: Stack of frames that belong together.
        rescale: Slope and intercept of the slice or frame.
        is_directory: The file is a DICOMDIR, which lists others.
    """

    path: Path
    folder: str
    stamp: tuple[int, int]
    patient_id: str
    modality: str
    study: str
    study_date: str
    series: str
    series_number: int | None
    description: str
    instance: str
    frame_of_reference: str
    image_type: tuple[str, ...]
    rows: int | None
    columns: int | None
    frames: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    thickness: float | None
    tilt: float | None
    instance_number: int | None
    acquisition_number: int | None
    temporal_position: int | None
    trigger_time: float | None
    seconds: float | None
    bolus_start: float | None
    after_bolus: float | None
    event: str = ""
    agent: str = ""
    contrast_phase: str = ""
    kernel: str = ""
    echo_time: float | None = None
    b_value: float | None = None
    frame: int | None = None
    stack: str = ""
    rescale: tuple[float, float] | None = None
    is_directory: bool = False

    @property
    def name(self) -> str:
        """File name, and which frame of it."""
        return self.path.name if self.frame is None else f"{self.path.name}, frame {self.frame + 1}"


def read_headers(path: Path, root: Path) -> list[DicomHeader] | None:
    """Read what is needed of one file, pixels left alone.

    Args:
        path: Any file.
        root: Root of the tree.

    Returns:
        One header, or one per frame of an enhanced multi-frame image; ``None`` for a file that is
        not DICOM.

    Raises:
        Exception: Whatever pydicom raises on a DICOM file whose header is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dirty headers are usual, and warnings quote values
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        except InvalidDicomError:
            return None
        many = (
            _text(data, "Modality") in ("CT", "MR") and (_integer(data, "NumberOfFrames") or 0) > 1
        )
        if not many:
            return [_header(data, path, root)]
        tags = [*_TAGS, *FUNCTIONAL_GROUPS]
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        if not data.get("PerFrameFunctionalGroupsSequence"):
            return [_header(data, path, root)]
        return [_header(frame, path, root, k) for k, frame in enumerate(flat_frames(data))]


def _header(data: pydicom.Dataset, path: Path, root: Path, frame: int | None = None) -> DicomHeader:
    status = path.stat()
    seconds = _acquired(data)
    bolus = _time_of_day(_text(data, "ContrastBolusStartTime"))
    folder = path.parent.relative_to(root).as_posix()
    number = _integer(data, "InstanceNumber")
    slope, intercept = _number(data, "RescaleSlope"), _number(data, "RescaleIntercept")
    return DicomHeader(
        path=path,
        folder=folder,
        stamp=(status.st_size, status.st_mtime_ns),
        patient_id=_text(data, "PatientID"),
        modality=_text(data, "Modality"),
        study=_text(data, "StudyInstanceUID"),
        study_date=_text(data, "StudyDate"),
        series=_text(data, "SeriesInstanceUID") or f"folder {folder}",
        series_number=_integer(data, "SeriesNumber"),
        description=_text(data, "SeriesDescription"),
        instance=_text(data, "SOPInstanceUID"),
        frame_of_reference=_text(data, "FrameOfReferenceUID"),
        image_type=tuple(str(word).upper() for word in _values(data, "ImageType")),
        rows=_integer(data, "Rows"),
        columns=_integer(data, "Columns"),
        frames=_integer(data, "NumberOfFrames") or 1,
        orientation=_numbers(data, "ImageOrientationPatient", 6),
        position=_numbers(data, "ImagePositionPatient", 3),
        pixel_spacing=_numbers(data, "PixelSpacing", 2),
        thickness=_number(data, "SliceThickness"),
        tilt=_number(data, "GantryDetectorTilt"),
        instance_number=number if frame is None else frame + 1,
        acquisition_number=_integer(data, "AcquisitionNumber"),
        temporal_position=_integer(data, "TemporalPositionIdentifier"),
        trigger_time=_number(data, "TriggerTime"),
        seconds=seconds,
        bolus_start=bolus,
        after_bolus=_after(bolus, seconds),
        event=_text(data, "IrradiationEventUID"),
        agent=_text(data, "ContrastBolusAgent"),
        contrast_phase=_text(data, "ContrastBolusAgentPhase"),
        kernel=" ".join(str(value) for value in _values(data, "ConvolutionKernel")),
        echo_time=_number(data, "EchoTime"),
        b_value=_number(data, "DiffusionBValue"),
        frame=frame,
        stack=_text(data, "StackID"),
        rescale=None if slope is None or intercept is None else (slope, intercept),
        is_directory=_is_directory(data),
    )


def _is_directory(data: pydicom.Dataset) -> bool:
    meta = getattr(data, "file_meta", None)
    kind = None if meta is None else meta.get("MediaStorageSOPClassUID")
    return bool(kind == MediaStorageDirectoryStorage)


def _text(data: pydicom.Dataset, name: str) -> str:
    return str(data.get(name) or "").strip()


def _values(data: pydicom.Dataset, name: str) -> list[Any]:
    value = data.get(name)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, int, float)) else list(value)


def _numbers(data: pydicom.Dataset, name: str, count: int) -> tuple[float, ...] | None:
    try:
        values = tuple(float(value) for value in _values(data, name))
    except (TypeError, ValueError):
        return None
    return values if len(values) == count else None


def _number(data: pydicom.Dataset, name: str) -> float | None:
    values = _numbers(data, name, 1)
    return values[0] if values else None


def _integer(data: pydicom.Dataset, name: str) -> int | None:
    value = _number(data, name)
    return None if value is None else int(value)


def _acquired(data: pydicom.Dataset) -> float | None:
    """Return the time of acquisition in seconds, counted from an arbitrary day."""
    moment = _text(data, "AcquisitionDateTime")
    day, time = moment[:8], moment[8:].split("+")[0].split("-")[0]
    if not time:
        day, time = _text(data, "AcquisitionDate"), _text(data, "AcquisitionTime")
    seconds = _time_of_day(time)
    if seconds is None:
        return None
    try:
        return seconds + 86400.0 * datetime.date.fromisoformat(day).toordinal()
    except ValueError:
        return seconds


def _time_of_day(text: str) -> float | None:
    """Return seconds since midnight of a DICOM time ``HHMMSS.FFFFFF`` (colons: ACR-NEMA)."""
    text = text.replace(":", "").strip()
    try:
        hours, minutes = int(text[0:2]), int(text[2:4] or 0)
        return 3600.0 * hours + 60.0 * minutes + float(text[4:] or 0)
    except ValueError:
        return None


def _after(bolus: float | None, seconds: float | None) -> float | None:
    """Return the seconds from injection to acquisition; midnight may lie between."""
    if bolus is None or seconds is None:
        return None
    difference = (seconds - bolus) % 86400.0
    return difference if difference < 43200.0 else difference - 86400.0

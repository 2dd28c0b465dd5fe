"""How the pixels of a volume become Hounsfield units, and a NIfTI file."""

import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from mtl_hcc.cohorts.dicom.decoding import DECODER_PACKAGES, decode_with_gdcm, lacks_decoder
from mtl_hcc.cohorts.dicom.geometry import VolumeGrid
from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.errors import ImageError


def read_voxels(volume: Volume, *, where: str) -> np.ndarray:
    """Decode all slices and apply each slice's own rescale slope and intercept.

    Args:
        volume: Slices in ascending order along their normal.
        where: Patient and series, for messages.

    Returns:
        (depth, height, width): HU for CT, the scanner's values for MR; int16 where all values are
        whole numbers that fit, else float32.

    Raises:
        ImageError: A file cannot be read or decoded, or is no grey-scale image.
    """
    planes: list[np.ndarray | None] = [None] * len(volume.slices)
    by_file: dict[Path, list[int]] = defaultdict(list)
    for k, header in enumerate(volume.slices):
        by_file[header.path].append(k)
    for path, indices in by_file.items():
        for k, plane in zip(
            indices, _read_planes(path, [volume.slices[k] for k in indices], where), strict=True
        ):
            planes[k] = plane
    voxels = np.stack([plane for plane in planes if plane is not None])
    if np.issubdtype(voxels.dtype, np.integer) and abs(voxels).max(initial=0) <= 32767:
        return voxels.astype(np.int16)
    return voxels.astype(np.float32)


def _read_planes(path: Path, slices: list[DicomHeader], where: str) -> list[np.ndarray]:
    """Read the slices (or frames) of one file, which is opened once."""
    where = f"{where}, file {path.name}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(path)
        except Exception as error:
            raise _damaged(where, error) from error
        _check_grey(data, where)
        return [_to_units(_decode(data, s.frame, where), data, s, where) for s in slices]


def _decode(data: pydicom.Dataset, frame: int | None, where: str) -> np.ndarray:
    try:
        plane = np.asarray(pixel_array(data, index=frame or 0))
    except Exception as error:
        decoded = decode_with_gdcm(data, frame or 0) if lacks_decoder(data) else None
        if decoded is None:
            raise _undecodable(data, where, error) from error
        plane = decoded
    expected = (int(data.Rows), int(data.Columns))
    if plane.shape != expected or (frame is None and int(data.get("NumberOfFrames") or 1) > 1):
        raise ImageError(
            f"pixels of shape {plane.shape}", where=where, expected=f"{expected}, one slice"
        )
    return plane


def _to_units(
    plane: np.ndarray, data: pydicom.Dataset, header: DicomHeader, where: str
) -> np.ndarray:
    """Apply the slice's own (or the frame's own) rescale slope and intercept."""
    slope, intercept = header.rescale or (data.get("RescaleSlope"), data.get("RescaleIntercept"))
    if data.get("Modality") == "CT" and (slope is None or intercept is None):
        raise ImageError(
            "a CT slice without rescale slope and intercept",
            where=where,
            expected="Hounsfield units",
            remedy="Export the original series, not a screen copy of it.",
        )
    slope = 1.0 if slope is None else float(slope)
    intercept = 0.0 if intercept is None else float(intercept)
    if slope == round(slope) and intercept == round(intercept):
        return np.asarray(plane.astype(np.int32) * int(slope) + int(intercept))
    return np.asarray(plane.astype(np.float32) * slope + intercept, dtype=np.float32)


def _check_grey(data: pydicom.Dataset, where: str) -> None:
    kind = str(data.get("PhotometricInterpretation", ""))
    if data.get("SamplesPerPixel", 1) != 1 or kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImageError(
            f"a color image ({kind or 'no photometric interpretation'})",
            where=where,
            expected="a grey-scale CT or MR slice",
            remedy="Leave the series out with a phase rule 'ignore', or export the original.",
        )


def _damaged(where: str, error: Exception) -> ImageError:
    return ImageError(
        f"the file is damaged or truncated ({type(error).__name__})",
        where=where,
        remedy="Copy or export the file again.",
    )


def _undecodable(data: pydicom.Dataset, where: str, error: Exception) -> ImageError:
    """Tell a truncated file from a compression that no installed package can undo."""
    syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if syntax is None:
        return _damaged(where, error)
    syntax = UID(syntax)
    if not lacks_decoder(data):
        return _damaged(where, error)
    package = DECODER_PACKAGES.get(str(syntax))
    remedy = f"Install the decoder: pip install {package}" if package else "Export uncompressed"
    return ImageError(
        f"pixels compressed as {syntax.name} ({syntax}) that cannot be decoded here",
        where=where,
        remedy=f"{remedy}, or decompress the files (e.g. gdcmconv --raw).",
    )


def write_nifti(path: Path, voxels: np.ndarray, grid: VolumeGrid) -> None:
    """Write voxels (depth, height, width) on their grid as compressed NIfTI."""
    import SimpleITK as sitk  # noqa: N813  # only conversion needs it

    image: Any = sitk.GetImageFromArray(voxels)
    image.SetSpacing([float(value) for value in grid.spacing])
    image.SetOrigin([float(value) for value in grid.origin])
    image.SetDirection([float(value) for value in grid.direction.ravel()])
    sitk.WriteImage(image, str(path), useCompression=True)

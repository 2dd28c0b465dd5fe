"""Reading images and label maps: what cannot be used is refused here, by name and with a remedy."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.strange_labels import MOST_LABELS, name_strange_labels
from mtl_hcc.patient import Label

_HEADER = 348
"""Bytes of a NIfTI-1 header; ``dim`` stands at byte 40, ``datatype`` at 70, ``pixdim`` at 76."""
_FLOATS = {16: "f4", 64: "f8"}
"""Floating point among the values of ``datatype``."""
SAME_SPACE = 0.5
"""Least share of a map's foreground inside the image for them to share one patient space."""


@dataclass(frozen=True)
class Place:
    """Whose file is read, for the error messages."""

    patient_id: str
    phase: str
    path: Path

    def __str__(self) -> str:
        """Name patient, phase and file."""
        return f"patient {self.patient_id}, {self.phase}, {self.path}"

    def error(self, found: str, *, expected: str = "", remedy: str) -> ImageError:
        """Return the error for this file."""
        return ImageError(found, where=str(self), expected=expected, remedy=remedy)


def read_image(place: Place) -> sitk.Image:
    """Return one phase as a 3D image of finite, varying voxels."""
    image = _read(place)
    values = sitk.GetArrayViewFromImage(image)
    if values.dtype.kind == "f":
        _check_finite(place, values)
    if values.min() == values.max():
        raise place.error(
            f"every voxel is {values.flat[0]}",
            expected="an image",
            remedy="Convert the series again; the export seems to have failed.",
        )
    return image


def read_regions(place: Place) -> sitk.Image:
    """Return a label map (uint8), on the grid on which it was drawn."""
    regions = _read(place)
    values = sitk.GetArrayViewFromImage(regions)
    found = np.unique(values)
    allowed = [int(label) for label in Label]
    if not np.isin(found, allowed).all():
        told, remedy = name_strange_labels(found)
        raise place.error(
            told,
            expected="0 background, 1 liver, 2 tumor, 3 lesser omental adipose tissue",
            remedy=remedy,
        )
    if found.max() == 0:
        raise place.error(
            "the label map is empty",
            expected="at least liver or tumor voxels",
            remedy="Draw the regions, or remove the file.",
        )
    return sitk.Cast(regions, sitk.sitkUInt8)


def read_labels(place: Place) -> sitk.Image:
    """Return a label map of any whole-number labels (uint16), empty ones too, on its own grid."""
    labels = _read(place)
    values = sitk.GetArrayViewFromImage(labels)
    found = np.unique(values)
    if len(found) > MOST_LABELS or (found < 0).any() or (found % 1 != 0).any():
        raise place.error(
            f"{len(found)} different values from {found[0]:g} to {found[-1]:g}",
            expected=f"a label map of at most {MOST_LABELS} whole numbers, 0 being background",
            remedy="Name the folder of the masks, not of the images.",
        )
    return sitk.Cast(labels, sitk.sitkUInt16)


def same_grid(first: sitk.Image, second: sitk.Image) -> bool:
    """Return whether two images share size and, to a hundredth of a voxel, geometry."""
    if first.GetSize() != second.GetSize():
        return False
    slack = 0.01 * min(first.GetSpacing())
    corners = [(0, 0, 0), tuple(n - 1 for n in first.GetSize())]
    corners += [
        tuple((n - 1) * (i == axis) for i, n in enumerate(first.GetSize())) for axis in range(3)
    ]
    return all(
        np.allclose(
            first.TransformIndexToPhysicalPoint(corner),
            second.TransformIndexToPhysicalPoint(corner),
            rtol=0,
            atol=slack,
        )
        for corner in corners
    )


def foreground_points(regions: sitk.Image, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the (voxel, 3) physical coordinates x, y, z in mm of the voxels of ``mask``."""
    index = np.argwhere(mask)[:, ::-1]
    matrix = np.array(regions.GetDirection()).reshape(3, 3) * np.array(regions.GetSpacing())
    return np.asarray(index @ matrix.T + np.array(regions.GetOrigin()))


def share_inside(image: sitk.Image, points: NDArray[np.float64]) -> float:
    """Return the share of physical points that lie inside the image."""
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    index = (points - np.array(image.GetOrigin())) @ np.linalg.inv(matrix).T
    inside = (index >= -0.5) & (index <= np.array(image.GetSize()) - 0.5)
    return float(inside.all(axis=1).mean())


def values_at(
    image: sitk.Image, mask: NDArray[np.bool_], points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether each physical point lies in a voxel of ``mask``, which is on ``image``."""
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    index = np.rint((points - np.array(image.GetOrigin())) @ np.linalg.inv(matrix).T).astype(int)
    inside = ((index >= 0) & (index < np.array(image.GetSize()))).all(axis=1)
    found = np.zeros(len(points), dtype=np.bool_)
    x, y, z = index[inside].T
    found[inside] = mask[z, y, x]
    return found


def check_same_space(place: Place, image: sitk.Image, regions: sitk.Image) -> None:
    """Refuse a label map of which less than half lies inside the image.

    Another grid in the same patient space is fine: the map is resampled from it.
    """
    if same_grid(image, regions):
        return
    mask = sitk.GetArrayViewFromImage(regions) > 0
    share = share_inside(image, foreground_points(regions, mask))
    if share >= SAME_SPACE:
        return
    if share == 0:
        found = "the regions lie outside the image"
    else:
        found = f"another patient space: only {share:.0%} of the regions lie inside the image"
    raise place.error(
        found,
        expected="a label map drawn on this scan, or on another one of the same patient space",
        remedy="Check that patient and phase are right and that the export kept the origin; "
        "register the map to the image if it was drawn on another examination.",
    )


def _read(place: Place) -> sitk.Image:
    _check_file(place)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(place.path))
    try:
        reader.ReadImageInformation()
        _check_kind(place, reader)
        image = reader.Execute()
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise place.error(
            f"cannot be read ({last})",
            expected="a 3D image as .nii.gz, .nii, .nrrd or .mha",
            remedy="Open it in a viewer; if that fails too, export it again.",
        ) from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    if min(image.GetSpacing()) <= 0:
        raise _spacing_error(place, image.GetSpacing())
    return image


def _check_kind(place: Place, reader: sitk.ImageFileReader) -> None:
    if reader.GetNumberOfComponents() != 1:
        raise place.error(
            f"a color image ({reader.GetNumberOfComponents()} values per voxel)",
            expected="one intensity per voxel",
            remedy="Export the original series, not a screenshot or an overlay.",
        )
    size = reader.GetSize()
    if len(size) != 3 and not (len(size) == 4 and size[3] == 1):
        raise place.error(
            f"{len(size)}D image of {' x '.join(map(str, size))}",
            expected="one 3D image",
            remedy="Split the series so that each phase has its own file.",
        )
    if min(size[:3]) < 2:
        raise place.error(
            f"a single slice ({' x '.join(map(str, size))})",
            expected="a volume",
            remedy="Convert the whole series.",
        )


def _check_file(place: Place) -> None:
    """Check what ITK passes over: truncated files and NaN (read as zeros), spacing 0 (as 1)."""
    if not place.path.is_file():
        raise place.error("no such file", remedy="Add the file, or take it out of the cohort.")
    try:
        content = _nifti_content(place.path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise place.error(
            f"truncated or damaged ({error})",
            expected="a complete .nii.gz",
            remedy="Copy or convert the file again.",
        ) from error
    if len(content) < _HEADER:
        return
    order = "<" if struct.unpack("<i", content[:4])[0] == _HEADER else ">"
    if struct.unpack(f"{order}i", content[:4])[0] != _HEADER:
        return
    dim = struct.unpack(f"{order}8h", content[40:56])
    kind, bits = struct.unpack(f"{order}2h", content[70:74])
    pixdim = struct.unpack(f"{order}8f", content[76:108])
    offset = int(struct.unpack(f"{order}f", content[108:112])[0])
    if not all(np.isfinite(pixdim[1:4])) or min(pixdim[1:4]) <= 0:
        raise _spacing_error(place, pixdim[1:4])
    needed = int(np.prod([max(n, 1) for n in dim[1 : dim[0] + 1]], dtype=np.int64)) * bits // 8
    if len(content) < needed + offset:
        raise place.error(
            f"truncated: {len(content)} bytes of {needed + offset}",
            expected="a complete file",
            remedy="Copy or convert the file again.",
        )
    if kind in _FLOATS:
        values = np.frombuffer(content, f"{order}{_FLOATS[kind]}", needed * 8 // bits, offset)
        _check_finite(place, values)


def _check_finite(place: Place, values: NDArray[Any]) -> None:
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise place.error(
            f"{bad} voxels are NaN or infinite",
            expected="finite intensities",
            remedy="Convert the series again, or set these voxels to -1000 HU (air).",
        )


def _nifti_content(path: Path) -> bytes:
    """Return the unpacked bytes of a NIfTI file; files of other kinds give none."""
    if not path.name.endswith((".nii", ".nii.gz")):
        return b""
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def _spacing_error(place: Place, spacing: tuple[float, ...]) -> ImageError:
    return place.error(
        f"voxel size {' x '.join(f'{s:g}' for s in spacing)} mm",
        expected="three positive numbers",
        remedy="Convert the series again; the header has lost its spacing.",
    )

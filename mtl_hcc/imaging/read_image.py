"""Reading images and label maps: what cannot be used is refused here, by name and with a remedy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.nifti_file import MOST_BYTES, nifti_fault, not_finite
from mtl_hcc.imaging.nifti_forms import contradiction
from mtl_hcc.imaging.strange_labels import MOST_LABELS, name_strange_labels
from mtl_hcc.regions import Label

SAME_SPACE = 0.5
"""Least share of a map's foreground inside the image for them to share one patient space."""

_FARTHEST_MM = 1e5
"""No scanner's patient space reaches further."""
LARGEST = 1e9
"""No scanner gives more; beyond 3e38 single precision, as computed with, is infinite."""


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
    low, high = float(values.min()), float(values.max())
    if max(-low, high) > LARGEST:
        raise place.error(
            f"a voxel of {high if high > -low else low:g}",
            expected="intensities that an image can have",
            remedy="Convert the series again; the rescale slope seems to be wrong.",
        )
    if low == high:
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
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        last = (str(error).strip().splitlines() or ["out of memory"])[-1]
        raise place.error(
            f"cannot be read ({last})",
            expected="a 3D image as .nii.gz, .nii, .nrrd or .mha",
            remedy="Open it in a viewer; if that fails too, export it again.",
        ) from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    _check_geometry(place, image)
    if found := contradiction(place.path, image):
        raise place.error(
            found,
            expected="sform, qform and voxel size that say the same",
            remedy="Find out which one is right, in a viewer that names left and right, and write "
            "the file again with all alike.",
        )
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
    if np.prod(size, dtype=np.float64) > MOST_BYTES:  # Other formats than NIfTI are not checked.
        raise place.error(
            f"the header announces {' x '.join(map(str, size))} voxels",
            expected=f"at most {MOST_BYTES / 1e9:.2g} GB",
            remedy="Convert the series again; the header is damaged.",
        )
    if min(size[:3]) < 2:
        raise place.error(
            f"a single slice ({' x '.join(map(str, size))})",
            expected="a volume",
            remedy="Convert the whole series.",
        )


def _check_file(place: Place) -> None:
    if not place.path.is_file():
        raise place.error("no such file", remedy="Add the file, or take it out of the cohort.")
    if not place.path.name.endswith((".nii", ".nii.gz")):
        return
    try:
        fault = nifti_fault(place.path)
    except OSError as error:
        raise place.error(
            f"cannot be opened ({error.strerror})",
            remedy="Check the disk and the permissions of the file.",
        ) from error
    if fault is not None:
        raise place.error(fault.found, expected=fault.expected, remedy=fault.remedy)


def _check_finite(place: Place, values: NDArray[Any]) -> None:
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        fault = not_finite(bad)
        raise place.error(fault.found, expected=fault.expected, remedy=fault.remedy)


def _check_geometry(place: Place, image: sitk.Image) -> None:
    """Refuse what is left of a damaged header: axes that are none, places that are no numbers."""
    if min(image.GetSpacing()) <= 0:
        raise place.error(
            f"voxel size {' x '.join(f'{s:g}' for s in image.GetSpacing())} mm",
            expected="three positive numbers",
            remedy="Convert the series again; the header has lost its spacing.",
        )
    axes = np.array(image.GetDirection()).reshape(3, 3)
    numbers = np.array([*image.GetOrigin(), *image.GetSpacing(), *image.GetDirection()])
    if (
        not np.isfinite(numbers).all()
        or np.abs(image.GetOrigin()).max() > _FARTHEST_MM
        or not np.allclose(axes @ axes.T, np.eye(3), atol=0.01)
    ):
        raise place.error(
            f"origin {image.GetOrigin()} mm, axes {np.round(axes, 3).tolist()}",
            expected="a place in patient space, and three axes at right angles",
            remedy="Convert the series again; the header is damaged.",
        )

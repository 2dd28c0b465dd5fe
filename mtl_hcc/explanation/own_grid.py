"""Maps on the grid of the patient's own images, as NIfTI that lies on the scan in any viewer."""

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.crop import to_lps
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.read_image import Place, read_image
from mtl_hcc.imaging.scan import read_scans
from mtl_hcc.patient import Patient


def as_image(values: NDArray[np.float32], grid: Grid) -> sitk.Image:
    """Return an array on a prepared grid as an image.

    Args:
        values: (depth, height, width).
        grid: Where they lie.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(values, dtype=np.float32))
    image.SetOrigin(grid.origin)
    image.SetSpacing(grid.spacing)
    image.SetDirection(grid.direction)
    return image


def own_space(path: Path) -> sitk.Image:
    """Return an empty image with size and geometry of a file, whose voxels are not read.

    Raises:
        ImageError: The file is gone or is no image.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageError(
            f"cannot be read ({str(error).strip().splitlines()[-1]})",
            where=str(path),
            remedy="Restore the file; the map on the prepared grid is there all the same.",
        ) from error
    image = sitk.Image(list(reader.GetSize()[:3]), sitk.sitkUInt8)
    image.SetOrigin(reader.GetOrigin()[:3])
    image.SetSpacing(reader.GetSpacing()[:3])
    count = reader.GetDimension()
    matrix = np.array(reader.GetDirection()).reshape(count, count)[:3, :3]
    image.SetDirection(matrix.ravel().tolist())
    return image


def on_own_grid(values: NDArray[np.float32], grid: Grid, space: sitk.Image) -> sitk.Image:
    """Return a map at the voxels of another image: linear, zero outside the prepared field of view.

    Args:
        values: (depth, height, width) on the prepared grid.
        grid: The prepared grid.
        space: Gives size, spacing, origin and direction; may lie oblique.
    """
    return sitk.Resample(
        as_image(values, grid), space, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32
    )


def registered_space(
    patient: Patient, phase: str, preparation: Preparation
) -> tuple[sitk.Image, sitk.Image]:
    """Return the space of a registered phase as it was prepared, and its own one, voxel by voxel.

    The registration is repeated (it has a fixed seed), as the store does not keep it.

    Args:
        patient: Where the files lie.
        phase: A phase that preparation moved onto another one.
        preparation: The recipe.
    """
    scans, _ = read_scans(patient, preparation)
    (moved,) = [scan.image for scan in scans if scan.place.phase == phase]
    own = to_lps(read_image(Place(patient.patient_id, phase, patient.images[phase])))
    return moved, own


def own_map(
    values: NDArray[np.float32],
    grid: Grid,
    patient: Patient,
    phase: str,
    *,
    preparation: Preparation,
    registered: bool,
) -> sitk.Image:
    """Return a phase's map on the grid of the phase's own image.

    Args:
        values: (depth, height, width) on the prepared grid.
        grid: The prepared grid.
        patient: Where the files lie.
        phase: Name of the phase.
        preparation: The recipe.
        registered: Whether preparation moved the phase onto another one.
    """
    own = own_space(patient.images[phase])
    if not registered:
        return on_own_grid(values, grid, own)
    moved, straight = registered_space(patient, phase, preparation)
    image = on_own_grid(values, grid, moved)
    image.CopyInformation(straight)
    axes = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(own.GetDirection())
    return sitk.DICOMOrient(image, axes)


def write_nifti(image: sitk.Image, path: Path) -> None:
    """Write a NIfTI file, whole or not at all.

    Args:
        image: What to write.
        path: ``*.nii.gz``.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / path.name
        sitk.WriteImage(image, str(written), useCompression=True, compressionLevel=1)
        write_bytes(path, written.read_bytes())

"""Two geometries in one NIfTI header: sform, qform and voxel size must say the same.

ITK reads one of them and passes over the other in silence; viewers choose differently. Where they
differ, a mask drawn in one program lies mirrored or shifted in the other.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

_HEADER = 348
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI points to the right's left: RAS. Here all is LPS."""


def contradiction(path: Path, image: sitk.Image) -> str | None:
    """Return how a NIfTI header contradicts the geometry that was read; ``None`` if it does not.

    Args:
        path: The file.
        image: What was read from it, axes as in the file.

    Returns:
        A clause, where by a declared form a corner of the volume lies more than a voxel elsewhere.
    """
    header = _header(path)
    if header is None:
        return None
    read = _affine_of(image)
    size = np.array(image.GetSize()) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in size])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    for name, form in _forms(header).items():
        distance = float(np.linalg.norm(((form - read) @ corners)[:3], axis=0).max())
        if not distance <= min(image.GetSpacing()):
            return (
                f"the header contradicts itself: by its {name} the image lies up to "
                f"{distance:.0f} mm from where it was read{_mirrored(form, read)}"
            )
    return None


def _mirrored(form: NDArray[np.float64], read: NDArray[np.float64]) -> str:
    """Say so where the two differ in handedness: left and right are exchanged."""
    other = np.linalg.det(form[:3, :3]) * np.linalg.det(read[:3, :3]) < 0
    return ", mirrored" if other else ""


def _header(path: Path) -> bytes | None:
    """Return the header of a NIfTI-1 file; of other files nothing."""
    if not path.name.endswith((".nii", ".nii.gz")):
        return None
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        try:
            content = (
                gzip.GzipFile(fileobj=file).read(_HEADER)
                if start == b"\x1f\x8b"
                else file.read(_HEADER)
            )
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return None
    known = {struct.pack("<i", _HEADER), struct.pack(">i", _HEADER)}
    return content if len(content) == _HEADER and content[:4] in known else None


def _forms(header: bytes) -> dict[str, NDArray[np.float64]]:
    """Return the declared forms as affines from voxels to LPS, by name."""
    order = "<" if header[:4] == struct.pack("<i", _HEADER) else ">"
    qform, sform = struct.unpack(f"{order}2h", header[252:256])
    forms = {}
    if qform > 0:
        forms["qform"] = _FLIP @ _from_quaternion(
            np.array(struct.unpack(f"{order}6f", header[256:280])),
            np.array(struct.unpack(f"{order}4f", header[76:92])),
        )
    if sform > 0:
        rows = np.array(struct.unpack(f"{order}12f", header[280:328])).reshape(3, 4)
        forms["sform"] = _FLIP @ np.vstack([rows, [0, 0, 0, 1]])
    return forms


def _from_quaternion(
    quaternion: NDArray[np.float64], pixdim: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the affine of a qform (the NIfTI-1 standard, method 2), voxels to RAS.

    Args:
        quaternion: ``b, c, d`` and the offsets ``x, y, z``.
        pixdim: ``qfac`` and the voxel size.
    """
    b, c, d = quaternion[:3]
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * pixdim[1:4] * [1, 1, -1 if pixdim[0] < 0 else 1]
    affine[:3, 3] = quaternion[3:]
    return affine


def _affine_of(image: sitk.Image) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return affine

"""Rotation: uniform over SO(3), one draw per patient for all phases and regions."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own abbreviation)
from torch import Tensor

SLAB_VOXELS = 2**19
"""Voxels turned at a time on a CPU: their temporaries stay in its cache."""


def draw_rotations(generators: Sequence[np.random.Generator]) -> Tensor:
    """Draw one uniform rotation from each generator.

    A normal vector in four dimensions, scaled to length one, is a uniform unit quaternion, hence
    a uniform rotation (Shoemake, 1992, Graphics Gems III).

    Returns:
        (patient, 3, 3) float32 rotation matrices.
    """
    quaternions = np.stack([generator.standard_normal(4) for generator in generators])
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrices = np.array(rows).transpose(2, 0, 1)  # (patient, row, column)
    return torch.from_numpy(matrices.astype(np.float32))


def rotate(images: Tensor, regions: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate volumes about the center of their field.

    What lay at offset p (mm, x y z) from the center lies at ``matrix @ p`` afterwards; what comes
    from outside the field is zero. Voxels are isotropic; the field need not be a cube.

    Args:
        images: (patient, phase, depth, height, width) float, interpolated linearly.
        regions: Same shape, uint8 bits, taken from the nearest voxel.
        matrices: (patient, 3, 3) rotation matrices, on any device.

    Returns:
        Images as float32 and regions as uint8, both of the shape given.
    """
    patients, phases, depth, height, width = images.shape
    slab = depth
    if images.device.type == "cpu":
        slab = max(1, min(depth, SLAB_VOXELS // (patients * height * width)))
    with torch.autocast(images.device.type, enabled=False):
        images, matrices = images.float(), matrices.to(images.device, torch.float32)
        words = _as_words(regions)
        turned, turned_words = [], []
        for first in range(0, depth, slab):
            planes = range(first, min(first + slab, depth))
            offsets = _source_offsets(matrices, images.shape[2:], planes)
            turned.append(_linear(images, offsets))
            turned_words.append(_nearest(words, offsets))
        return torch.cat(turned, dim=2), _as_regions(torch.cat(turned_words, dim=2), phases)


def _source_offsets(matrices: Tensor, shape: torch.Size, planes: range) -> list[Tensor]:
    """Return where the voxels of some planes come from, in voxels from the field's center.

    Returns:
        For each of x, y, z (patient, plane, height, width).
    """
    depth, height, width = (
        torch.arange(length, dtype=torch.float32, device=matrices.device) - (length - 1) / 2
        for length in shape
    )
    depth = depth[planes.start : planes.stop]
    offsets = []
    for axis in range(3):
        # Column k of a rotation is row k of its inverse.
        x, y, z = (matrices[:, row, axis, None, None, None] for row in range(3))
        in_plane = y * height[:, None] + x * width
        offsets.append(z * depth[:, None, None] + in_plane)
    return offsets


def _linear(images: Tensor, offsets: list[Tensor]) -> Tensor:
    """Interpolate with ``grid_sample``, which counts from -1 to 1 along each axis."""
    grid = torch.empty(*offsets[0].shape, 3, device=images.device)
    for axis, length in enumerate(reversed(images.shape[2:])):
        torch.mul(offsets[axis], 2 / length, out=grid[..., axis])
    turned: Tensor = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
    return turned


def _nearest(words: Tensor, offsets: list[Tensor]) -> Tensor:
    """Return the words of the nearest voxels: (patient, word, plane, height, width)."""
    patients, number, *shape = words.shape
    index = torch.zeros((), dtype=torch.int32, device=words.device)
    for axis, length in zip((2, 1, 0), shape, strict=True):  # z, y, x
        # In a field with a rim of one empty voxel; what lies farther outside falls on the rim.
        voxel = (offsets[axis] + (length - 1) / 2).round_().clamp_(0, length - 1)
        index = index * length + voxel.int()
    flat = index.reshape(patients, 1, -1).long().expand(-1, number, -1)
    found: Tensor = words.reshape(patients, number, -1).gather(2, flat)
    return found.view(patients, number, *index.shape[1:])


def _as_words(regions: Tensor) -> Tensor:
    """Pack regions so that one look-up serves four phases: each is a byte of an int32.

    Returns:
        (patient, word, depth + 2, height + 2, width + 2) int32, with a rim of empty voxels.
    """
    missing = -regions.shape[1] % 4
    padded = F.pad(regions, (1, 1, 1, 1, 1, 1, 0, missing))
    four: Tensor = padded.unflatten(1, (-1, 4)).movedim(2, -1).contiguous()
    words: Tensor = four.view(torch.int32).squeeze(-1)
    return words


def _as_regions(words: Tensor, phases: int) -> Tensor:
    """Unpack what :func:`_as_words` packed: (patient, phase, depth, height, width) uint8."""
    four = words.contiguous().unsqueeze(-1).view(torch.uint8).movedim(-1, 2)
    return four.flatten(1, 2)[:, :phases].contiguous()

"""Rotation: uniform over SO(3), one draw per patient for all phases and regions."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own abbreviation)
from torch import Tensor

from mtl_hcc.data.cpu_rotation import rotate_on_cpu


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
    with torch.autocast(images.device.type, enabled=False):
        images, matrices = images.float(), matrices.to(images.device, torch.float32)
        if images.device.type == "cpu":
            return rotate_on_cpu(images, regions, matrices)
        return rotate_by_grid(images, regions, matrices)


def rotate_by_grid(images: Tensor, regions: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate with ``grid_sample``: one call for the images, one for the regions.

    Args:
        images: As in :func:`rotate`, float32.
        regions: As in :func:`rotate`.
        matrices: As in :func:`rotate`, on the same device.
    """
    shape = images.shape[2:]
    size = torch.tensor(shape[::-1], dtype=torch.float32, device=images.device)  # x, y, z
    # grid_sample counts from -1 to 1 along each axis whatever its length, hence the ratios.
    inverse = matrices.transpose(1, 2) * size[None, None, :] / size[None, :, None]
    theta = F.pad(inverse, (0, 1))  # (patient, 3, 4), no translation
    grid = F.affine_grid(theta, [len(images), 1, *shape], align_corners=False)
    turned = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
    labels = F.grid_sample(regions.float(), grid, mode="nearest", align_corners=False)
    return turned, labels.to(torch.uint8)

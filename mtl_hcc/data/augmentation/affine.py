"""The kernel of all spatial transforms: every patient resampled through a matrix, on any device."""

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own abbreviation)
from torch import Tensor

from mtl_hcc.batch import to_device
from mtl_hcc.data.augmentation.cpu_affine import resample_on_cpu


def resample(images: Tensor, regions: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Show tissue elsewhere, about the center of the field.

    What is shown at offset p (voxels; x, y, z) from the center lay at ``matrix @ p``; what comes
    from outside the field is zero. The field need not be a cube.

    Args:
        images: (patient, phase, depth, height, width) float, interpolated linearly.
        regions: Same shape, uint8 bits, taken from the nearest voxel.
        matrices: (patient, 3, 3), on any device.

    Returns:
        Images as float32 and regions as uint8, both of the shape given.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        matrices = to_device(
            matrices.float(), images.device, non_blocking=matrices.device.type == "cpu"
        )
        if images.device.type == "cpu":
            return resample_on_cpu(images, regions, matrices)
        return resample_by_grid(images, regions, matrices)


def resample_by_grid(images: Tensor, regions: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Do the same with ``grid_sample``: one call for the images, one for the regions.

    Args:
        images: As in :func:`resample`, float32.
        regions: As in :func:`resample`.
        matrices: As in :func:`resample`, on the same device.
    """
    shape = images.shape[2:]
    size = torch.tensor(shape[::-1], dtype=torch.float32)  # x, y, z
    size = to_device(size, images.device, non_blocking=True)
    # grid_sample counts from -1 to 1 along each axis whatever its length, hence the ratios.
    in_halves = matrices * size[None, None, :] / size[None, :, None]
    theta = F.pad(in_halves, (0, 1))  # (patient, 3, 4), no translation
    grid = F.affine_grid(theta, [len(images), 1, *shape], align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
    labels = F.grid_sample(regions.float(), grid, mode="nearest", align_corners=False)
    return moved, labels.to(torch.uint8)

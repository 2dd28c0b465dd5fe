r"""Rotation3D: any direction of the body may point anywhere.

A quaternion :math:`q = n / |n|` of four normal numbers :math:`n` is a uniform unit quaternion, and
its matrix a rotation that is uniform over SO(3) (Shoemake, 1992, Graphics Gems III). Tissue at
offset :math:`p` from the center of the field goes to :math:`R p`, in millimeters.
"""

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.spatial import SpatialTransform
from mtl_hcc.data.augmentation.transform import Generators
from mtl_hcc.data.draws import Purpose


class Rotation3D(SpatialTransform):
    """Rotate uniformly over SO(3), in millimeters also where voxels are no cubes.

    For slices, which other slices would have to be made of, take :class:`InPlaneRotation`.

    Args:
        probability: Chance that a patient is turned.

    Example:
        >>> drawn = Rotation3D().sources([np.random.default_rng(0)])
        >>> torch.det(drawn).round(decimals=5)
        tensor([1.])
    """

    purpose = Purpose.ROTATION

    def sources(self, generators: Generators) -> Tensor:
        """Return the inverse of each patient's rotation, (patient, 3, 3)."""
        return draw_rotations(generators).transpose(1, 2)


def draw_rotations(generators: Generators) -> Tensor:
    """Draw one uniform rotation from each generator.

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

r"""InPlaneRotation: axial slices are turned, none is mixed with its neighbors.

:math:`(x, y, z) \to (x \cos a - y \sin a, x \sin a + y \cos a, z)`, in millimeters about the center
of the field, with :math:`a` uniform in :math:`[-d, d]`.
"""

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.spatial import SpatialTransform
from mtl_hcc.data.augmentation.transform import Generators
from mtl_hcc.data.draws import Purpose


class InPlaneRotation(SpatialTransform):
    """Rotate about the z axis.

    Args:
        degrees: Largest angle :math:`d` to either side; 180 for any angle.
        probability: Chance that a patient is turned.

    Example:
        >>> InPlaneRotation(degrees=0).sources([np.random.default_rng(0)])[0].diag()
        tensor([1., 1., 1.])
    """

    purpose = Purpose.IN_PLANE_ROTATION

    def __init__(self, *, degrees: float = 180.0, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("degrees", degrees, 0, 180)
        self.degrees = degrees

    def sources(self, generators: Generators) -> Tensor:
        """Return the inverse of each patient's rotation, (patient, 3, 3)."""
        angles = [generator.uniform(-self.degrees, self.degrees) for generator in generators]
        cosine, sine = np.cos(np.radians(angles)), np.sin(np.radians(angles))
        matrices = np.zeros((len(angles), 3, 3))
        matrices[:, 0, 0] = matrices[:, 1, 1] = cosine
        matrices[:, 0, 1], matrices[:, 1, 0] = sine, -sine
        matrices[:, 2, 2] = 1
        return torch.from_numpy(matrices.astype(np.float32))

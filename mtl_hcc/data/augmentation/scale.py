r"""Scale: everything larger or smaller, alike in all directions.

:math:`p \to f p` about the center of the field, with :math:`\log f` uniform in
:math:`[-\log(1 + s), \log(1 + s)]`, so that twice as large is as likely as half as large. The size
of a tumor tells its outcome: a large change takes that away.
"""

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.spatial import SpatialTransform
from mtl_hcc.data.augmentation.transform import Generators
from mtl_hcc.data.draws import Purpose


class Scale(SpatialTransform):
    """Zoom.

    Args:
        most: :math:`s`: 0.1 draws factors from 1 / 1.1 to 1.1.
        probability: Chance that a patient is zoomed.

    Example:
        >>> Scale(most=0.0).sources([np.random.default_rng(0)])[0].diag()
        tensor([1., 1., 1.])
    """

    purpose = Purpose.SCALE

    def __init__(self, *, most: float = 0.1, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("most", most, 0, 1)
        self.most = most

    def sources(self, generators: Generators) -> Tensor:
        """Return one over each patient's factor, as (patient, 3, 3)."""
        limit = np.log1p(self.most)
        logarithms = np.array([generator.uniform(-limit, limit) for generator in generators])
        inverse = torch.from_numpy(np.exp(-logarithms).astype(np.float32))
        return torch.eye(3) * inverse[:, None, None]

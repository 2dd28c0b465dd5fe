r"""IntensityScale: brighter or darker, as another dose of contrast medium or another calibration.

:math:`I \to f I` with :math:`f` uniform in :math:`[1 - s, 1 + s]`; one factor for all phases, so
that how they differ stays; clipped to [0, 1].
"""

import torch
from torch import Tensor

from mtl_hcc.data.augmentation.transform import Generators, IntensityTransform
from mtl_hcc.data.draws import Purpose


class IntensityScale(IntensityTransform):
    """Multiply the intensities of a patient by one factor.

    Args:
        most: :math:`s`, 0 to 1.
        probability: Chance that a patient is changed.

    Example:
        >>> IntensityScale().change(torch.ones(1, 1, 1, 1, 1), torch.tensor([0.9]), place=0).item()
        0.8999999761581421
    """

    purpose = Purpose.INTENSITY_SCALE

    def __init__(self, *, most: float = 0.1, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("most", most, 0, 1)
        self.most = most

    def draw(self, generators: Generators) -> Tensor:
        """Return each patient's factor, (patient,)."""
        return torch.tensor(
            [generator.uniform(1 - self.most, 1 + self.most) for generator in generators],
            dtype=torch.float32,
        )

    def change(self, images: Tensor, drawn: Tensor, *, place: int) -> Tensor:
        """Return the images times the factors."""
        return images * drawn.to(images.device)[:, None, None, None, None]

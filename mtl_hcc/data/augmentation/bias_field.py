r"""BiasField: intensities that vary slowly over the field, as near the coils of an MRI scanner.

:math:`I \to I \exp \sum_{a + b + c \le o} k_{abc} u^a v^b w^c` with coefficients uniform in
:math:`[-s, s]` and :math:`(u, v, w)` the place along x, y, z, from -1 to 1 across the field (Van
Leemput et al., 1999, doi:10.1109/42.811268); one field for all phases; clipped to [0, 1].

TorchIO's ``BiasField`` makes the same field patient by patient in float64; here all patients are
one product of small matrices on the device (see ``benchmarks/results/input_pipeline.md``).
"""

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.transform import Generators, IntensityTransform
from mtl_hcc.data.draws import Purpose


class BiasField(IntensityTransform):
    """Multiply the intensities by a smooth field.

    Args:
        most: :math:`s`, largest size of a coefficient.
        order: :math:`o`, of the polynomial.
        probability: Chance that a patient is changed.

    Example:
        >>> BiasField(order=1).draw([np.random.default_rng(0)]).shape
        torch.Size([1, 4])
    """

    purpose = Purpose.BIAS_FIELD

    def __init__(self, *, most: float = 0.3, order: int = 3, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("most", most, 0, 2)
        self._check("order", order, 0, 6)
        self.most, self.order = most, order

    def draw(self, generators: Generators) -> Tensor:
        """Return the coefficients, (patient, term), in the order of TorchIO's."""
        terms = len(_exponents(self.order))
        drawn = [generator.uniform(-self.most, self.most, terms) for generator in generators]
        return torch.from_numpy(np.array(drawn, dtype=np.float32))

    def change(self, images: Tensor, drawn: Tensor, *, place: int) -> Tensor:
        """Return the images times the fields."""
        shape = (len(drawn), *[self.order + 1] * 3)
        coefficients = torch.zeros(shape, device=images.device)
        a, b, c = torch.tensor(_exponents(self.order)).T
        coefficients[:, a, b, c] = drawn.to(images.device)
        z, y, x = (_powers(length, self.order, images.device) for length in images.shape[2:])
        with torch.autocast(images.device.type, enabled=False):
            logarithm = torch.einsum("pabc,ua,vb,wc->pwvu", coefficients, x, y, z)
            return images * logarithm.exp()[:, None]


def _exponents(order: int) -> list[tuple[int, int, int]]:
    """Return the exponents of x, y and z in each term."""
    exponents = range(order + 1)
    return [
        (a, b, c) for a in exponents for b in exponents for c in exponents if a + b + c <= order
    ]


def _powers(length: int, order: int, device: torch.device) -> Tensor:
    """Return (voxel, exponent) powers of the places along an axis, from -1 to 1."""
    places = torch.arange(length, device=device) - (length - 1) / 2
    places = places / places.max().clamp(min=0.5)
    return places[:, None] ** torch.arange(order + 1, device=device)

r"""Flip: a patient as in a mirror.

:math:`p_a \to -p_a` for each axis :math:`a` that is drawn, about the center of the field. A flip
along x puts the liver on the left: what is right for a field around the tumor may not be for one
around the body.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.spatial import SpatialTransform
from mtl_hcc.data.augmentation.transform import Generators
from mtl_hcc.data.draws import Purpose
from mtl_hcc.errors import ConfigError


class Flip(SpatialTransform):
    """Mirror each of some axes with chance 1/2, independently.

    Args:
        axes: Some of x (left-right), y (front-back), z (up-down).
        probability: Chance that a patient takes part at all.

    Example:
        >>> Flip(axes=["z"]).sources([np.random.default_rng(0)])[0].diag()[:2]
        tensor([1., 1.])
    """

    purpose = Purpose.FLIP

    def __init__(
        self, *, axes: list[Literal["x", "y", "z"]] | None = None, probability: float = 1.0
    ) -> None:
        super().__init__(probability=probability)
        self.axes = ["x", "y", "z"] if axes is None else list(axes)
        if not self.axes or not set(self.axes) <= set("xyz"):
            raise ConfigError(
                f"axes is {self.axes}",
                where="data.augmentation, Flip",
                expected="some of x, y, z",
                remedy="Name an axis, or take Flip out of the list.",
            )

    def sources(self, generators: Generators) -> Tensor:
        """Return a diagonal of 1 and -1 for each patient, (patient, 3, 3)."""
        signs = np.ones((len(generators), 3), dtype=np.float32)
        for patient, generator in enumerate(generators):
            mirrored = generator.random(3) < 0.5  # Of all axes: a shorter list changes no other.
            for number, axis in enumerate("xyz"):
                if axis in self.axes and mirrored[number]:
                    signs[patient, number] = -1
        return torch.diag_embed(torch.from_numpy(signs))

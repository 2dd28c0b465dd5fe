r"""Noise: a scanner with less dose.

:math:`I \to I + \epsilon`, with :math:`\epsilon` normal with mean 0 and standard deviation
:math:`\sigma`, in each voxel and phase anew, and :math:`\sigma` uniform in :math:`[0, s]`; clipped
to [0, 1]. The noise is that of TorchIO's ``Noise`` with a seed from the patient's own generator,
drawn on the CPU, so that it is the same on every device.
"""

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.data.augmentation.transform import Generators, IntensityTransform
from mtl_hcc.data.draws import Purpose

_SEEDS = 2**31


class Noise(IntensityTransform):
    """Add Gaussian noise inside the kept regions.

    Args:
        most: :math:`s`, largest standard deviation; 1 is the whole range of intensities.
        probability: Chance that a patient is changed.

    Example:
        >>> Noise(most=0.0).draw([np.random.default_rng(0)])[0, 0].item()
        0.0
    """

    purpose = Purpose.NOISE

    def __init__(self, *, most: float = 0.05, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self._check("most", most, 0, 1)
        self.most = most

    def draw(self, generators: Generators) -> Tensor:
        """Return each patient's standard deviation and seed, (patient, 2) float64."""
        drawn = [(one.uniform(0, self.most), one.integers(_SEEDS)) for one in generators]
        return torch.tensor(np.array(drawn, dtype=np.float64))

    def change(self, images: Tensor, drawn: Tensor, *, place: int) -> Tensor:
        """Return the images with noise; that of another view is another noise."""
        import torchio as tio

        empty = torch.zeros(images.shape[1:])
        # TorchIO sets torch's own seed, also that of the device, and puts only the CPU's back.
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            noise = [
                tio.Noise(mean=0.0, std=float(deviation), seed=int(seed) + place)(empty)
                for deviation, seed in drawn
            ]
        return images + torch.stack(noise).to(images.device)

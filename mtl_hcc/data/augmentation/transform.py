"""What every transform is: random numbers of each patient first, then what is done with them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch, to_device
from mtl_hcc.data.draws import Purpose
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.view import View

Generators = Sequence[np.random.Generator]
"""One for each patient of a batch, in its order."""


class Transform(ABC):
    """Changes training patients at random, each by numbers of its own.

    Args:
        probability: Chance that a patient is changed, 0 to 1.
    """

    purpose: ClassVar[Purpose]
    """Names the stream of random numbers."""

    def __init__(self, *, probability: float = 1.0) -> None:
        self._check("probability", probability, 0, 1)
        self.probability = probability

    @abstractmethod
    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the changed batch; the one given, and its tensors, stay as they are.

        Args:
            batch: Patients on the training device; images float32.
            generators: One for each patient.
            views: What each view of the batch shows.
        """

    def chosen(self, generators: Generators) -> Tensor:
        """Return who is changed, (patient,) bool; to be drawn after all other numbers."""
        return torch.tensor([one.random() < self.probability for one in generators])

    def _check(self, name: str, value: float, low: float, high: float) -> None:
        """Raise :class:`ConfigError` for a setting out of bounds."""
        if not low <= value <= high:
            raise ConfigError(
                f"{name} is {value:g}",
                where=f"data.augmentation, {type(self).__name__}",
                expected=f"{low:g} to {high:g}",
                remedy=f"Correct {name}.",
            )


class IntensityTransform(Transform):
    """Changes the images of a patient in all views and phases alike; regions stay.

    What is zero outside the kept regions, in missing phases and on padding slices stays zero, and
    the result is clipped to [0, 1], as images are when they are prepared.
    """

    @abstractmethod
    def draw(self, generators: Generators) -> Tensor:
        """Return (patient, ...) numbers, on the CPU."""

    @abstractmethod
    def change(self, images: Tensor, drawn: Tensor, *, place: int) -> Tensor:
        """Return the changed images of one view.

        Args:
            images: (patient, phase, depth, height, width) float32.
            drawn: (patient, ...) as :meth:`draw` gives them.
            place: Of the view among all views.
        """

    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the batch with changed images."""
        drawn = self.draw(generators)
        rows = self.chosen(generators).nonzero()[:, 0]
        changed = dict(batch.views)
        for place, (name, seen) in enumerate(batch.views.items() if len(rows) else ()):
            on_device = to_device(rows, seen.images.device, non_blocking=True)
            part = seen.only(rows)
            images = self.change(part.images, drawn[rows], place=place).clamp(0, 1)
            images = torch.where(may_change(part, views[name]), images, part.images)
            changed[name] = replace(seen, images=seen.images.index_copy(0, on_device, images))
        return replace(batch, views=changed)


def may_change(seen: ViewBatch, view: View) -> Tensor:
    """Return where a view shows something, of the shape of its images, bool.

    Args:
        seen: The patients.
        view: Which regions are kept.
    """
    there = seen.phase_present[:, :, None, None, None] & seen.slice_present[:, None, :, None, None]
    if view.keep == "everything":
        return there.expand_as(seen.images)
    names = seen.region_bits if view.keep == "regions" else view.keep
    bits = sum(seen.region_bits[name] for name in names)
    return there & ((seen.regions & bits) > 0)

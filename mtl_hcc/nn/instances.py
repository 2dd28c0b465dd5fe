"""Instances: what of a view the backbone sees one by one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_hcc.batch import RegionMaps, ViewBatch


@dataclass(frozen=True)
class Layout:
    """Which instances the patients of a batch could have, and which they have.

    Attributes:
        present: (patient, instance) bool.
        phase: (patient, instance) int64, number of the phase.
        place_mm: (patient, instance) float32, position along z from the center of the view.
    """

    present: Tensor
    phase: Tensor
    place_mm: Tensor


class InstanceMaker(ABC):
    """Makes instances from a view, on the device where the view is.

    Attributes:
        channels: Channels of an instance: the slices that it shows side by side.
        dimensions: Of an instance, 2 for slices and 3 for volumes.
    """

    channels: int
    dimensions: int

    @abstractmethod
    def layout(self, view: ViewBatch) -> Layout:
        """Return which instances there are; nothing is computed for an absent one."""

    @abstractmethod
    def take(self, view: ViewBatch, rows: Tensor) -> tuple[Tensor, RegionMaps]:
        """Return some instances.

        Args:
            view: Of the batch.
            rows: (row,) int64, numbers of the instances in the flattened (patient, instance).

        Returns:
            Images (row, channel, [depth,] height, width), and regions of the same shape.
        """


class Volumes(InstanceMaker):
    """Each phase is one volume."""

    channels = 1
    dimensions = 3

    def layout(self, view: ViewBatch) -> Layout:
        """Return one instance for each phase."""
        present = view.phase_present
        phase = torch.arange(present.shape[1], device=present.device).expand_as(present)
        return Layout(present, phase, torch.zeros(present.shape, device=present.device))

    def take(self, view: ViewBatch, rows: Tensor) -> tuple[Tensor, RegionMaps]:
        """Return the volumes, (row, 1, depth, height, width)."""

        def chosen(arrays: Tensor) -> Tensor:
            flat = arrays.flatten(0, 1)
            # All of them, in order, is what nearly every batch asks for: no copy then.
            return (flat if len(rows) == len(flat) else flat[rows])[:, None]

        return chosen(view.images), view.region_maps.map(chosen)

"""Instances: what of a view the backbone sees one by one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mtl_hcc.batch import RegionMaps, ViewBatch
from mtl_hcc.nn.bag import Bag

Dimensions = Literal["2d", "3d"]
"""Of an instance: slice or volume. Stem and backbone have the same."""


@dataclass(frozen=True)
class Layout:
    """Which instances the patients of a batch could have, and which they have.

    Attributes:
        present: (patient, instance) bool.
        phase: (patient, instance) int64, number of the phase.
        place_mm: (patient, instance) float32, position along z from the middle of the stack.
        level: (patient, instance) int64, number of the slice; 0 for a volume.
        known_rows: (row,) int64, numbers of the present ones in the flattened (patient, instance),
            where they are known without asking the device.
    """

    present: Tensor
    phase: Tensor
    place_mm: Tensor
    level: Tensor
    known_rows: Tensor | None = None

    @property
    def rows(self) -> Tensor:
        """(row,) int64: numbers of the present ones in the flattened (patient, instance)."""
        if self.known_rows is None:
            return self.present.flatten().nonzero()[:, 0]
        return self.known_rows


class InstanceMaker(ABC):
    """Makes instances from a view, on the device where the view is.

    Attributes:
        channels: Channels of an instance: the slices that it shows side by side.
        dimensions: Of an instance.
        one_per_phase: Whether there is exactly one for each phase, in the phases' order.
        joins_phases: Whether an instance shows all phases at once.
        regions: Regions that decide which instances there are.
    """

    channels: int = 1
    dimensions: Dimensions
    one_per_phase: bool = False
    joins_phases: bool = False
    regions: tuple[str, ...] = ()

    @abstractmethod
    def layout(self, view: ViewBatch) -> Layout:
        """Return which instances there are; nothing is computed for an absent one."""

    @abstractmethod
    def take(self, view: ViewBatch, layout: Layout, rows: Tensor) -> tuple[Tensor, RegionMaps]:
        """Return some instances.

        Args:
            view: Of the batch.
            layout: Of the same view.
            rows: (row,) int64, numbers of the instances in the flattened (patient, instance).

        Returns:
            Images (row, channel, [depth,] height, width), and regions of the same shape.
        """

    def out_features(self, features: int) -> int:
        """Return the width after :meth:`combine` of vectors of this width."""
        return features

    def combine(self, bag: Bag) -> Bag:
        """Return what the aggregator gets, made of the vectors of the instances; here the same."""
        return bag

    def spread(self, weights: Tensor, bag: Bag) -> Tensor:
        """Return the weights of the instances, given those of what was made of them.

        Args:
            weights: (patient, combined instance).
            bag: Of the instances, before :meth:`combine`.
        """
        return weights


class Volumes(InstanceMaker):
    """Each phase is one volume."""

    dimensions: Dimensions = "3d"
    one_per_phase = True

    def layout(self, view: ViewBatch) -> Layout:
        """Return one instance for each phase."""
        present = view.phase_present
        phase = torch.arange(present.shape[1], device=present.device).expand_as(present)
        nothing = torch.zeros_like(phase)
        return Layout(present, phase, nothing.float(), nothing, view.phase_rows)

    def take(self, view: ViewBatch, layout: Layout, rows: Tensor) -> tuple[Tensor, RegionMaps]:
        """Return the volumes, (row, 1, depth, height, width)."""

        def chosen(arrays: Tensor) -> Tensor:
            flat = arrays.flatten(0, 1)
            # All of them, in order, is what nearly every batch asks for: no copy then.
            return (flat if len(rows) == len(flat) else flat[rows])[:, None]

        return chosen(view.images), view.region_maps.map(chosen)


class Slices(InstanceMaker):
    """Axial slices; which ones, a subclass decides.

    Beyond the ends of the stack a neighbor is empty (zeros), as a padding convolution has it.

    Args:
        neighbors: Slices on each side that stand beside a slice as further channels.
    """

    dimensions: Dimensions = "2d"

    def __init__(self, neighbors: int = 0) -> None:
        if neighbors < 0:
            raise ValueError(f"instances.neighbors is {neighbors}; expected 0 or more")
        self.neighbors = neighbors
        self.channels = 2 * neighbors + 1

    def take(self, view: ViewBatch, layout: Layout, rows: Tensor) -> tuple[Tensor, RegionMaps]:
        """Return the slices, (row, channel, height, width), the slice itself in the middle."""
        patient = (rows // layout.present.shape[1])[:, None]
        phase, level = (
            numbers.flatten()[rows][:, None] for numbers in (layout.phase, layout.level)
        )
        reach = torch.arange(-self.neighbors, self.neighbors + 1, device=rows.device)
        levels = level + reach  # (row, channel)
        depth = view.images.shape[2]
        inside = (levels >= 0) & (levels < depth)
        levels = levels.clamp(0, depth - 1)
        inside = (inside & view.slice_present[patient, levels])[..., None, None]

        def chosen(arrays: Tensor) -> Tensor:
            return arrays[patient, phase, levels].where(inside, 0)

        return chosen(view.images), view.region_maps.map(chosen)


class AxialSlices(Slices):
    """Each axial slice of each phase is one, ordered by phase and from the feet to the head.

    A patient of whom no slice meets the named regions has an empty bag.

    Args:
        neighbors: Slices on each side that stand beside a slice as further channels (2.5D); beyond
            the ends of the stack they are empty.
        of: Regions that a slice must meet, one of them at least; all slices when none is named.
    """

    def __init__(self, *, neighbors: int = 0, of: list[str] | None = None) -> None:
        super().__init__(neighbors)
        self.regions = tuple(of or ())

    def layout(self, view: ViewBatch) -> Layout:
        """Return one instance for each phase and slice."""
        present = view.phase_present[:, :, None] & view.slice_present[:, None]
        if self.regions:
            present = present & (_areas(view, self.regions) > 0)
        patients, phases, depth = present.shape
        phase, level = torch.meshgrid(
            torch.arange(phases, device=present.device),
            torch.arange(depth, device=present.device),
            indexing="ij",
        )
        place = _places(view)[:, None].expand(present.shape)
        return Layout(
            present.flatten(1),
            phase.flatten().expand(patients, -1),
            place.flatten(1),
            level.flatten().expand(patients, -1),
        )


class SliceCombinations(Slices):
    """All combinations of one slice for each phase, of the slices at the largest tumor.

    For each phase the slices around the one with the largest area of the region go through the
    backbone once each; an instance is one of the ``slices ** phases`` choices (27 of three slices
    in three phases), its vector ``[x_1, ..., x_phases]``. A missing phase, or one in which the
    region was not drawn, holds zeros and has one choice.

    Args:
        slices: Consecutive slices of each phase.
        phases: How many phases the view has.
        of: Region whose largest area says where.
    """

    joins_phases = True

    def __init__(self, *, slices: int = 3, phases: int = 3, of: str = "tumor") -> None:
        super().__init__()
        if slices < 1 or phases < 1:
            raise ValueError(f"instances: {slices} slices of {phases} phases; expected 1 or more")
        self.slices, self.phases, self.regions = slices, phases, (of,)

    def layout(self, view: ViewBatch) -> Layout:
        """Return the slices that go through the backbone, ordered by phase."""
        areas = _areas(view, self.regions).masked_fill(~view.slice_present[:, None], 0)
        if areas.shape[1] != self.phases:
            raise ValueError(
                f"instances.phases is {self.phases}, but the view has {areas.shape[1]} phases"
            )
        depth = areas.shape[2]
        numbers = torch.arange(depth, device=areas.device)
        first = torch.where(view.slice_present, numbers, depth).amin(1, keepdim=True)
        last = torch.where(view.slice_present, numbers, -1).amax(1, keepdim=True)
        start = areas.argmax(dim=2) - self.slices // 2  # (patient, phase)
        start = start.minimum(last - self.slices + 1).maximum(first)
        level = start[..., None] + torch.arange(self.slices, device=areas.device)
        drawn = view.phase_present & (areas.amax(dim=2) > 0)
        present = drawn[..., None] & (level <= last[..., None])
        level = level.clamp(0, depth - 1)
        phase = torch.arange(self.phases, device=areas.device)[:, None].expand_as(level)
        place = _places(view)[:, None].expand_as(areas).gather(2, level)
        return Layout(present.flatten(1), phase.flatten(1), place.flatten(1), level.flatten(1))

    def out_features(self, features: int) -> int:
        """Return the width of the phases side by side."""
        return self.phases * features

    def combine(self, bag: Bag) -> Bag:
        """Return the combinations; their place is the mean of their slices'."""
        chosen = self._choices(bag)  # (choice, phase): number of the slice in the bag
        there = bag.present[:, chosen]  # (patient, choice, phase)
        features = bag.zeroed[:, chosen].flatten(2)
        place = (bag.place_mm[:, chosen] * there).sum(2) / there.sum(2).clamp(min=1)
        return Bag(features, self._complete(bag), torch.zeros_like(place).long(), place, 1)

    def spread(self, weights: Tensor, bag: Bag) -> Tensor:
        """Return each slice's share: a combination's weight is split evenly over its slices."""
        chosen = self._choices(bag)
        there = bag.present[:, chosen].to(weights.dtype)
        shares = weights[..., None] * there / there.sum(2, keepdim=True).clamp(min=1)
        found = weights.new_zeros(bag.present.shape)
        return found.index_add(1, chosen.flatten(), shares.flatten(1))

    def _choices(self, bag: Bag) -> Tensor:
        """Return (choice, phase): number of each choice's slices in the bag."""
        slots = torch.arange(self.slices, device=bag.present.device)
        choices = torch.cartesian_prod(*[slots] * self.phases).reshape(-1, self.phases)
        return choices + self.slices * torch.arange(self.phases, device=choices.device)

    def _complete(self, bag: Bag) -> Tensor:
        """Return (patient, choice): whether each phase gives its slice, or has none to give."""
        chosen = self._choices(bag)
        missing = ~bag.present.unflatten(1, (self.phases, self.slices)).any(2)  # (patient, phase)
        one = chosen % self.slices == 0  # (choice, phase): an absent phase has one choice only
        complete: Tensor = (bag.present[:, chosen] | (missing[:, None] & one)).all(2)
        complete &= ~missing.all(1, keepdim=True)
        return complete


def _areas(view: ViewBatch, regions: Sequence[str]) -> Tensor:
    """Return (patient, phase, depth): voxels of each slice that lie in one of the regions."""
    inside = torch.stack([view.region_maps.mask(name) for name in regions]).any(0)
    areas: Tensor = inside.sum(dim=(3, 4))
    return areas


def _places(view: ViewBatch) -> Tensor:
    """Return (patient, depth): position along z from the middle of the stack, in mm."""
    there = view.slice_present
    numbers = torch.arange(there.shape[1], device=there.device, dtype=torch.float32)
    middle = (numbers * there).sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp(min=1)
    return (numbers - middle) * view.spacing_mm[:, 2:]

"""PatientBatch: names, shapes and units of everything that flows from the data to the losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mtl_hcc.regions import BACKGROUND_LIVER, DRAWN


@dataclass(frozen=True)
class RegionMaps:
    """Region maps of any shape, and which bit is which region.

    Attributes:
        bits: uint8; regions overlap.
        names: Region to its bit, from :func:`mtl_hcc.regions.region_bits`.
    """

    bits: Tensor
    names: Mapping[str, int]

    def mask(self, region: str) -> Tensor:
        """Return where a region lies, as bool of the shape of ``bits``.

        Regions overlap in the store; ``background_liver`` is what is left of the liver outside the
        tumor and the zones around it, so that each voxel of the liver enters one stem.

        Args:
            region: ``background_liver`` or one of ``names``.

        Raises:
            ValueError: The prepared images have no such region.
        """
        if region == BACKGROUND_LIVER:
            zones = sum(bit for name, bit in self.names.items() if name not in DRAWN)
            inside = (self.bits & self.names["liver"]) > 0
            return inside & ((self.bits & (self.names["tumor"] | zones)) == 0)
        if region not in self.names:
            known = ", ".join([BACKGROUND_LIVER, *self.names])
            raise ValueError(f"unknown region '{region}'; expected one of {known}")
        return (self.bits & self.names[region]) > 0

    def masks(self, regions: Sequence[str], *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return where several regions lie, by one look-up instead of comparing voxel by voxel.

        Args:
            regions: Each as in :meth:`mask`.
            dtype: Of the result.

        Returns:
            (..., region) of 0 and 1, the region along the last axis: what a convolution reads
            fastest.
        """
        every = RegionMaps(
            torch.arange(256, device=self.bits.device, dtype=torch.uint8), self.names
        )
        table = torch.stack([every.mask(name) for name in regions], dim=1).to(dtype)
        return functional.embedding(self.bits.int(), table)

    def map(self, change: Callable[[Tensor], Tensor]) -> "RegionMaps":
        """Return the maps with another tensor of bits, e.g. ``maps.map(lambda t: t[rows])``."""
        return RegionMaps(change(self.bits), self.names)


@dataclass(frozen=True)
class Known:
    """What is known on the CPU of a view that lies on a device, so that nobody waits to ask.

    It holds for the very tensors that it was made with, which nobody changes in place: a view in
    which one of them was replaced asks the device again.

    Attributes:
        tensors: Name of an attribute of the view to the tensor on the device.
        values: The same names to the same values on the CPU.
        rows: (row,) int64 on the device: numbers of the phases that are there in the flattened
            (patient, phase).
    """

    tensors: dict[str, Tensor]
    values: dict[str, Tensor]
    rows: Tensor


_SMALL = ("phase_present", "slice_present", "spacing_mm")


@dataclass
class ViewBatch:
    """What one encoder looks at: the patients of a batch on the grid of one view.

    Attributes:
        images: (patient, phase, depth, height, width) float in [0, 1], zero outside the kept
            regions, in missing phases, and on slices that only pad a shorter stack.
        regions: Same shape, uint8 bits.
        region_bits: Region to its bit.
        phase_present: (patient, phase) bool.
        slice_present: (patient, depth) bool; False on padding. All True on cubes.
        spacing_mm: (patient, 3) float32: distance of the voxels along x, y, z.
        known: What the CPU knows of the small tensors; ``None`` before they were moved.
    """

    images: Tensor
    regions: Tensor
    region_bits: dict[str, int]
    phase_present: Tensor
    slice_present: Tensor
    spacing_mm: Tensor
    known: Known | None = None

    @property
    def phase_rows(self) -> Tensor | None:
        """(row,) int64: phases that are there; ``None`` where the device would have to be asked."""
        if self.known is None or self.known.tensors["phase_present"] is not self.phase_present:
            return None
        return self.known.rows

    def on_cpu(self, name: str) -> Tensor:
        """Return the values of ``phase_present``, ``slice_present`` or ``spacing_mm`` on the CPU.

        The device is asked only for what was replaced since the view was moved there.
        """
        tensor: Tensor = getattr(self, name)
        if self.known is None or self.known.tensors[name] is not tensor:
            return tensor.cpu()
        return self.known.values[name]

    def knowing(self, **values: Tensor) -> "ViewBatch":
        """Return the same view with other small tensors, which go to its device.

        Args:
            **values: ``phase_present``, ``slice_present`` or ``spacing_mm``, on the CPU.
        """
        moved: dict[str, Any] = {
            name: to_device(value, self.images.device, non_blocking=True)
            for name, value in values.items()
        }
        changed = replace(self, **moved)
        return changed._known_as({name: self.on_cpu(name) for name in _SMALL} | values)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "ViewBatch":
        """Return the same view on ``device``, the small tensors known on the CPU, too."""
        moved = self.map(lambda tensor: to_device(tensor, device, non_blocking=non_blocking))
        return moved._known_as({name: self.on_cpu(name) for name in _SMALL})

    def only(self, rows: Tensor) -> "ViewBatch":
        """Return some patients.

        Args:
            rows: (patient,) int64, on the CPU.
        """
        on_device = to_device(rows, self.images.device, non_blocking=True)
        part = self.map(lambda tensor: tensor[on_device])
        return part._known_as({name: self.on_cpu(name)[rows] for name in _SMALL})

    def _known_as(self, values: dict[str, Tensor]) -> "ViewBatch":
        tensors = {name: getattr(self, name) for name in _SMALL}
        rows = values["phase_present"].flatten().nonzero()[:, 0]
        rows = to_device(rows, self.images.device, non_blocking=True)
        return replace(self, known=Known(tensors, values, rows))

    @property
    def region_maps(self) -> RegionMaps:
        """Bits and names together."""
        return RegionMaps(self.regions, self.region_bits)

    def map(self, change: Callable[[Tensor], Tensor]) -> "ViewBatch":
        """Return the same view with every tensor changed, e.g. moved to a device."""
        changed: dict[str, Any] = {
            name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **changed, known=None)


def to_device(tensor: Tensor, device: torch.device | str, *, non_blocking: bool = False) -> Tensor:
    """Return a tensor on a device; copies from page-locked memory are not waited for.

    Args:
        tensor: On any device.
        device: Where it should be.
        non_blocking: Not to wait for copies of other memory either.
    """
    # Asked for copies to a device alone: the question itself would take hold of a GPU.
    pinned = torch.device(device).type != "cpu" and tensor.is_pinned()
    return tensor.to(device, non_blocking=non_blocking or pinned)


@dataclass
class PatientBatch:
    """Some patients, ready for the network. Every tensor's first axis is the patient.

    Attributes:
        patient_id: Names, in the order of the tensors.
        center: Center of each patient.
        split: Split of each patient (``train``, ``validation``, ``external``, ...).
        index: (patient,) int64. Row of each patient in the store's table: the key of the risk bank.
        views: Name of a view to its images; empty when only the clinical table is used.
        covariates: (patient, covariate) float32, raw values, NaN where missing; ``None`` without
            clinical covariates.
        targets: Column name (``os_days``, ``os_event``, ``mvi``, ...) to (patient,) float32,
            NaN where the label is missing. Times in days.
    """

    patient_id: list[str]
    center: list[str]
    split: list[str]
    index: Tensor
    views: dict[str, ViewBatch]
    covariates: Tensor | None
    targets: dict[str, Tensor]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patient_id)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "PatientBatch":
        """Return the same batch with its tensors on ``device`` (the hook Lightning calls).

        Lightning asks for ``non_blocking`` copies of plain tensors only: see :func:`to_device`.
        """
        small = replace(self, views={})
        moved = small.map(lambda tensor: to_device(tensor, device, non_blocking=non_blocking))
        views = {
            name: view.to(device, non_blocking=non_blocking) for name, view in self.views.items()
        }
        return replace(moved, views=views)

    def pin_memory(self) -> "PatientBatch":
        """Return the batch in page-locked memory (the hook ``DataLoader`` calls)."""
        return self.map(lambda tensor: tensor.pin_memory())

    def map(self, change: Callable[[Tensor], Tensor]) -> "PatientBatch":
        """Return the same patients with every tensor changed."""
        return PatientBatch(
            patient_id=self.patient_id,
            center=self.center,
            split=self.split,
            index=change(self.index),
            views={name: view.map(change) for name, view in self.views.items()},
            covariates=None if self.covariates is None else change(self.covariates),
            targets={name: change(value) for name, value in self.targets.items()},
        )

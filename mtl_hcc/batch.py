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
    """

    images: Tensor
    regions: Tensor
    region_bits: dict[str, int]
    phase_present: Tensor
    slice_present: Tensor
    spacing_mm: Tensor

    @property
    def region_maps(self) -> RegionMaps:
        """Bits and names together."""
        return RegionMaps(self.regions, self.region_bits)

    def map(self, change: Callable[[Tensor], Tensor]) -> "ViewBatch":
        """Return the same view with every tensor changed, e.g. moved to a device."""
        changed: dict[str, Any] = {
            name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **changed)


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
        """Return the same batch with its tensors on ``device`` (the hook Lightning calls)."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

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

"""What the network sees of what is stored: the middle, cut out after the patient was turned.

Preparation stores whole voxels more on both sides (``imaging.view_grid``), so the middle lies
exactly about the center.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch, to_device
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.view import View


def as_seen(batch: PatientBatch, views: Mapping[str, View]) -> PatientBatch:
    """Return the batch with each view cut to its field of view, about its center.

    Args:
        batch: With the stored fields.
        views: What each view of the batch shows.
    """
    seen = {name: _cut(stored, views[name]) for name, stored in batch.views.items()}
    return replace(batch, views=seen)


def seen_grid(stored: Grid, view: View) -> Grid:
    """Return the part of a patient's stored grid that the network sees.

    Args:
        stored: Grid of the prepared view.
        view: What it shows.
    """
    if view.field_mm == view.seen_mm:
        return stored
    sizes = [
        _seen_voxels(view, axis, length, spacing)
        for axis, (length, spacing) in enumerate(zip(stored.size, stored.spacing, strict=True))
    ]
    x, y, z = ((length - size) // 2 for length, size in zip(stored.size, sizes, strict=True))
    return stored.part((x, y, z), (sizes[0], sizes[1], sizes[2]))


def _seen_voxels(view: View, axis: int, stored: int, spacing: float) -> int:
    """Return how many of the stored voxels along x, y or z (0, 1, 2) are seen."""
    if view.field_mm[axis] == view.seen_mm[axis]:
        return stored
    return min(stored, max(1, round(view.seen_mm[axis] / spacing)))


def _cut(stored: ViewBatch, view: View) -> ViewBatch:
    if view.field_mm == view.seen_mm:
        return stored
    depth, height, width = stored.images.shape[2:]
    x, y = view.spacing[:2]
    rows = _middle(height, _seen_voxels(view, 1, height, y or 1.0))
    columns = _middle(width, _seen_voxels(view, 0, width, x or 1.0))
    # Patients differ in their number of slices, and in how many of them are seen.
    slices = stored.on_cpu("slice_present").sum(1).tolist()
    spacing = stored.on_cpu("spacing_mm")[:, 2].tolist()
    seen = [_seen_voxels(view, 2, n, mm) for n, mm in zip(slices, spacing, strict=True)]
    start = torch.tensor([(n - m) // 2 for n, m in zip(slices, seen, strict=True)])
    place = torch.arange(max(seen))  # (slice seen)
    there = place < torch.tensor(seen)[:, None]  # (patient, slice seen)
    source = (start[:, None] + place).clamp(max=depth - 1)

    def cut(array: Tensor) -> Tensor:
        near = array[:, :, :, rows, columns]
        if min(slices) == depth and len(set(seen)) == 1:
            return near[:, :, _middle(depth, seen[0])].contiguous()
        on = to_device(source, array.device, non_blocking=True)[:, None, :, None, None]
        taken = near.gather(2, on.expand(-1, near.shape[1], -1, *near.shape[3:]))
        shown = to_device(there, array.device, non_blocking=True)[:, None, :, None, None]
        return taken.masked_fill(~shown, 0)

    seen_part = replace(stored, images=cut(stored.images), regions=cut(stored.regions))
    return seen_part.knowing(slice_present=there)


def _middle(stored: int, seen: int) -> slice:
    start = (stored - seen) // 2
    return slice(start, start + seen)

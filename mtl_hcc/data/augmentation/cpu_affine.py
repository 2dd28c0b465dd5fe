"""The kernel on a CPU: the same values as ``grid_sample``, in less than half its time."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own abbreviation)
from torch import Tensor

SLAB_VOXELS = 2**17
"""Voxels made at a time: their temporaries stay in the processor's cache."""


@torch.no_grad()
def resample_on_cpu(images: Tensor, regions: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Do what ``affine.resample`` promises, patient by patient and slab by slab.

    ``grid_sample`` reads eight corners for each phase, far apart in memory. Here the phases of a
    voxel and of its neighbor in x lie side by side, so one look-up serves them all: a voxel is a
    weighted bag of four rows (``embedding_bag``, which is vectorized), and the rest is a linear
    step in x. Region maps of four phases are looked up as the bytes of one int32.

    Args:
        images: (patient, phase, depth, height, width) float32.
        regions: Same shape, uint8 bits.
        matrices: (patient, 3, 3) float32.
    """
    moved, moved_regions = torch.empty_like(images), torch.empty_like(regions)
    depth, height, width = images.shape[2:]
    slab = max(1, SLAB_VOXELS // (height * width))
    for patient, matrix in enumerate(matrices):
        rows, words = _as_rows(images[patient]), _as_words(regions[patient])
        for first in range(0, depth, slab):
            planes = slice(first, min(first + slab, depth))
            lowest, fractions = _lowest_corners(matrix, images.shape[2:], planes)
            moved[patient, :, planes] = _linear(rows, lowest, fractions, height + 2, width + 2)
            moved_regions[patient, :, planes] = _nearest(
                words, lowest, fractions, height + 2, width + 2, phases=images.shape[1]
            )
    return moved, moved_regions


def _lowest_corners(
    matrix: Tensor, shape: Sequence[int], planes: slice
) -> tuple[Tensor, list[Tensor]]:
    """Return the corner below each voxel's source, and how far the source is from it.

    Returns:
        Flat index (plane, height, width) int32 of the corner that is lowest in x, y and z, in a
        field with a rim of one empty voxel, to which all that lies farther outside is moved; and
        for x, y, z the distance from it, 0 to 1.
    """
    depth, height, width = (
        torch.arange(length, dtype=torch.float32) - (length - 1) / 2 for length in shape
    )
    depth = depth[planes]
    lowest, fractions = torch.zeros((), dtype=torch.int32), []
    for axis, length in zip((2, 1, 0), shape, strict=True):  # z, y, x
        x, y, z = matrix[axis]
        in_plane = (y * height[:, None] + x * width).add_((length + 1) / 2)
        place = (z * depth[:, None, None] + in_plane).clamp_(0, length + 1)
        corner = place.floor().clamp_(max=length)
        fractions.append(place.sub_(corner))
        lowest = lowest * (length + 2) + corner.int()
    return lowest, fractions[::-1]


def _linear(
    rows: Tensor, lowest: Tensor, fractions: list[Tensor], height: int, width: int
) -> Tensor:
    """Return (phase, plane, height, width) interpolated between eight corners."""
    x, y, z = (fraction.reshape(-1) for fraction in fractions)
    both = y * z
    weights = torch.stack([1 - y - z + both, y - both, z - both, both], dim=1)
    steps = torch.tensor([0, width, height * width, (height + 1) * width], dtype=torch.int32)
    bags = lowest.reshape(-1, 1) + steps  # (voxel, corner)
    found = F.embedding_bag(bags, rows, mode="sum", per_sample_weights=weights)
    phases = rows.shape[1] // 2
    values = [torch.lerp(found[:, p], found[:, phases + p], x) for p in range(phases)]
    return torch.stack(values).reshape(phases, *lowest.shape)


def _nearest(
    words: list[Tensor],
    lowest: Tensor,
    fractions: list[Tensor],
    height: int,
    width: int,
    *,
    phases: int,
) -> Tensor:
    """Return (phase, plane, height, width) of the nearest voxel."""
    index = lowest
    for fraction, stride in zip(fractions, (1, width, height * width), strict=True):
        index = torch.add(index, (fraction > 0.5), alpha=stride)
    found = [word.take(index.long()) for word in words]
    values = [found[phase // 4] >> 8 * (phase % 4) for phase in range(phases)]
    return torch.stack(values).to(torch.uint8)  # keeps the lowest byte


def _as_rows(images: Tensor) -> Tensor:
    """Return (voxel, 2 phases): each voxel's phases, then those of its neighbor in x."""
    voxels = F.pad(images, (1, 1, 1, 1, 1, 1)).flatten(1).t()
    rows = torch.zeros(len(voxels), 2 * len(images))
    rows[:, : len(images)] = voxels
    rows[:-1, len(images) :] = rows[1:, : len(images)]
    return rows


def _as_words(regions: Tensor) -> list[Tensor]:
    """Return for every four phases (depth + 2, height + 2, width + 2) int32, a byte for each."""
    words = []
    for first in range(0, len(regions), 4):
        word = torch.zeros([length + 2 for length in regions.shape[1:]], dtype=torch.int32)
        inside = word[1:-1, 1:-1, 1:-1]
        for place, phase in enumerate(regions[first : first + 4]):
            inside |= phase.int() << 8 * place
        words.append(word)
    return words

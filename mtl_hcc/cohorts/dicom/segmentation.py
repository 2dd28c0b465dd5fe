"""How a DICOM SEG becomes a label map: where segments overlap, on which grid."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from mtl_hcc.cohorts.dicom.geometry import VolumeGrid
from mtl_hcc.cohorts.dicom.segment_meaning import REGIONS, Segment, read_segments
from mtl_hcc.errors import ImageError
from mtl_hcc.regions import Label

_INSIDE = 0.98
"""A segment of which this share lies in another one is a part of it."""
_BESIDE = 0.5
"""Tumors that share at most this much of the smaller one are neighbors."""
_PRIORITY = (Label.LIVER, Label.LOAT, Label.TUMOR)
"""Where segments overlap the later one wins."""


@dataclass(frozen=True)
class LabelMap:
    """Labels (depth, height, width) uint8 of :class:`mtl_hcc.regions.Label`, on their grid.

    Attributes:
        labels: The voxels.
        grid: Where they lie.
        segments: The segments of the SEG that they come from, used or not.
    """

    labels: np.ndarray
    grid: VolumeGrid
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Segmentation:
    """A DICOM SEG that was opened.

    Attributes:
        path: The file.
        data: The data set, a ``highdicom.seg.Segmentation``.
        sources: Instances that its frames (else its header) say they were drawn on.
        folder: Its folder relative to the tree.
    """

    path: Path
    data: Any
    sources: frozenset[str]
    folder: str = ""


def open_segmentation(path: Path, *, where: str, folder: str = "") -> Segmentation:
    """Open a SEG file.

    Args:
        path: The file.
        where: Patient, for messages.
        folder: Its folder relative to the tree, by which messages call it.

    Raises:
        ImageError: The file is damaged or not a segmentation.
    """
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = hd.seg.segread(path)
            sources = frozenset(_sources(data))
        except Exception as error:
            raise ImageError(
                f"segmentation {path.name} cannot be read ({type(error).__name__}: {error})",
                where=where,
                expected="a DICOM SEG object",
                remedy="Copy it again, or give the mask as NIfTI in the folder named by masks.",
            ) from error
    return Segmentation(path, data, sources, folder)


def _sources(data: Any) -> set[str]:
    found = {
        str(image.ReferencedSOPInstanceUID)
        for frame in data.get("PerFrameFunctionalGroupsSequence", [])
        for derivation in frame.get("DerivationImageSequence", [])
        for image in derivation.get("SourceImageSequence", [])
    }
    return found or {
        str(image.ReferencedSOPInstanceUID)
        for series in data.get("ReferencedSeriesSequence", [])
        for image in series.get("ReferencedInstanceSequence", [])
    }


def check_frame_of_reference(
    segmentation: Segmentation, frame_of_reference: str, *, where: str
) -> None:
    """Refuse a segmentation that lies in another patient space than the image."""
    own = str(segmentation.data.get("FrameOfReferenceUID", "") or "")
    if own and frame_of_reference and own != frame_of_reference:
        raise ImageError(
            f"segmentation {segmentation.path.name} has another frame of reference than the image",
            where=where,
            expected="the same FrameOfReferenceUID: positions mean the same place",
            remedy="It was drawn on another scan: add that scan, or register it and draw again.",
        )


def read_label_map(
    segmentation: Segmentation, rules: Mapping[str, str], grid: VolumeGrid, *, where: str
) -> LabelMap:
    """Turn the segments into one label map: tumor over LOAT over liver.

    Args:
        segmentation: An opened SEG: binary, fractional (a voxel counts from one half on) or a
            label map; segments may overlap, empty frames may be left out.
        rules: The user's, as in :func:`read_segments`.
        grid: Of the image. Where the SEG's voxels coincide with it, the map is returned on
            it, else on the SEG's own grid (positions count, not SliceThickness).
        where: Patient, for messages.

    Returns:
        The label map; without any region where no segment is one for certain.

    Raises:
        ImageError: The frames form no volume, or two segments are drawings of the same thing.
    """
    segments = tuple(read_segments(segmentation.data, rules))
    labels = {s.number: Label[s.meaning.upper()] for s in segments if s.meaning in REGIONS}
    if not labels:
        return LabelMap(np.zeros(grid.size[::-1], dtype=np.uint8), grid, segments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            volume = segmentation.data.get_volume(
                segment_numbers=list(labels), combine_segments=False, rescale_fractional=True
            )
        except Exception as error:
            raise ImageError(
                f"frames of segmentation {segmentation.path.name} form no volume ({error})",
                where=where,
                expected="parallel, evenly spaced frames",
                remedy="Export the mask as NIfTI and give its folder as masks.",
            ) from error
    drawn = np.asarray(volume.array) >= 0.5  # (z, y, x, segment)
    used = [segment for segment in segments if segment.number in labels]
    _check_one_reading(used, drawn, where=where, name=segmentation.path.name)
    own = np.zeros(drawn.shape[:3], dtype=np.uint8)
    for label in _PRIORITY:
        for k, segment_label in enumerate(labels.values()):
            if segment_label == label:
                own[drawn[..., k]] = label
    affine = np.asarray(volume.affine, dtype=float)
    affine[:, :3] = affine[:, 2::-1]  # columns in the order x, y, z
    placed = _place(own, affine, grid)
    return replace(placed or LabelMap(own, _own_grid(own, affine)), segments=segments)


def _check_one_reading(
    segments: list[Segment], drawn: np.ndarray, *, where: str, name: str
) -> None:
    """Refuse two segments that outline the same liver, or the same tumor, differently.

    One inside the other is fine (liver and liver without tumor, tumor and its necrosis), and
    tumors side by side are several lesions.
    """
    boxes = [_box(drawn[..., k]) for k in range(len(segments))]
    sizes = [np.count_nonzero(drawn[..., k]) for k in range(len(segments))]
    for (i, one), (k, other) in combinations(enumerate(segments), 2):
        if one.meaning != other.meaning or one.meaning == "loat" or not sizes[i] * sizes[k]:
            continue
        # Only where both are: of many lesions most pairs lie apart.
        common = tuple(
            slice(max(a.start, b.start), max(0, min(a.stop, b.stop)))
            for a, b in zip(boxes[i], boxes[k], strict=True)
        )
        both = drawn[..., i][common] & drawn[..., k][common]
        shared = float(np.count_nonzero(both) / min(sizes[i], sizes[k]))
        if shared >= _INSIDE or (one.meaning == "tumor" and shared <= _BESIDE):
            continue
        raise ImageError(
            f"segmentation {name} holds two drawings of the {one.meaning}: {one.name} and "
            f"{other.name} ({shared:.0%} of the smaller one in common)",
            where=where,
            expected="one drawing of each region",
            remedy="Say which one counts, e.g. segment_rules: {ignore: 'reader 2'}.",
        )


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the bounding box of a mask; an empty one for an empty mask."""
    boxes: list[tuple[slice, ...]] = find_objects(mask.astype(np.uint8))
    return boxes[0] if boxes else (slice(0, 0),) * mask.ndim


def _place(labels: np.ndarray, affine: np.ndarray, grid: VolumeGrid) -> LabelMap | None:
    """Put the labels on the image's grid if voxel falls on voxel; axes may be turned over."""
    to_grid = np.linalg.inv(grid.affine) @ affine  # own index -> index on the image's grid
    turned = np.round(to_grid[:3, :3])
    if not np.allclose(to_grid[:3, :3], turned, atol=1e-3):
        return None
    if not np.array_equal(np.abs(turned).sum(axis=0), np.ones(3)):
        return None
    z, y, x = np.nonzero(labels)
    exact = np.stack([x, y, z], axis=1) @ turned.T + to_grid[:3, 3]
    index = np.round(exact).astype(int)
    if len(index) and np.abs(to_grid[:3, 3] - np.round(to_grid[:3, 3])).max() > 0.02:
        return None
    if len(index) and (index.min() < 0 or (index >= np.array(grid.size)).any()):
        return None
    placed = np.zeros(grid.size[::-1], dtype=np.uint8)
    placed[index[:, 2], index[:, 1], index[:, 0]] = labels[z, y, x]
    return LabelMap(placed, grid)


def _own_grid(labels: np.ndarray, affine: np.ndarray) -> VolumeGrid:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    depth, height, width = labels.shape
    return VolumeGrid(
        size=(width, height, depth),
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin=(float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3])),
        direction=affine[:3, :3] / spacing,
    )

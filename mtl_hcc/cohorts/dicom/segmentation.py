"""How a DICOM SEG becomes a label map: which segments count, where they overlap, on which grid."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_hcc.cohorts.dicom.geometry import Grid
from mtl_hcc.errors import ImageError
from mtl_hcc.patient import Label

SEGMENT_RULES: dict[str, str] = {
    "ignore": r"vein|aorta|artery|vessel|vascul|thromb",
    "tumor": r"tumou?r|mass|lesion|hcc|carcinoma|neoplasm|\bgtv\b|necro",
    "loat": r"loat|lesser oment",
    "liver": r"liver|hepat",
}
"""Region (or ``ignore``) to a regular expression for the segment's label, whatever the case.

The first that matches counts. The label is searched first, then description and property type.
"""
_PRIORITY = (Label.LIVER, Label.LOAT, Label.TUMOR)
"""Where segments overlap the later one wins."""


@dataclass(frozen=True)
class LabelMap:
    """Labels (depth, height, width) uint8 of :class:`mtl_hcc.patient.Label`, on their grid."""

    labels: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class Segmentation:
    """A DICOM SEG that was opened.

    Attributes:
        path: The file.
        data: The data set, a ``highdicom.seg.Segmentation``.
        sources: Instances that its frames (else its header) say they were drawn on.
    """

    path: Path
    data: Any
    sources: frozenset[str]


def open_segmentation(path: Path, *, where: str) -> Segmentation:
    """Open a SEG file.

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
    return Segmentation(path, data, sources)


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


def match_segments(
    segmentation: Segmentation, rules: Mapping[str, str], *, where: str
) -> dict[int, Label]:
    """Return segment number to label, for the segments that count.

    Raises:
        ImageError: No segment is a liver, tumor or LOAT by the rules.
    """
    found: dict[int, Label] = {}
    names = []
    for item in segmentation.data.SegmentSequence:
        label = str(item.get("SegmentLabel", ""))
        kind = " ".join(
            str(code.get("CodeMeaning", ""))
            for code in item.get("SegmentedPropertyTypeCodeSequence", [])
        )
        names.append(label)
        region = None
        for text in (label, str(item.get("SegmentDescription", "")), kind):
            region = region or _first_match(text, rules)
        if region is not None and region != "ignore":
            found[int(item.SegmentNumber)] = Label[region.upper()]
    if not found:
        raise ImageError(
            f"segmentation {segmentation.path.name} holds no liver, tumor or loat, "
            f"only {', '.join(names) or 'nothing'}",
            where=where,
            remedy="Say what its segments are, e.g. segment_rules: {tumor: 'nodule'}.",
        )
    return found


def _first_match(text: str, rules: Mapping[str, str]) -> str | None:
    for region, rule in rules.items():
        if text and re.search(rule, text, re.IGNORECASE):
            return region
    return None


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
    segmentation: Segmentation, rules: Mapping[str, str], grid: Grid, *, where: str
) -> LabelMap:
    """Turn the segments into one label map: tumor over LOAT over liver.

    Args:
        segmentation: An opened SEG: binary, fractional (a voxel counts from one half on) or a
            label map; segments may overlap, empty frames may be left out.
        rules: As :data:`SEGMENT_RULES`.
        grid: Grid of the image. Where the SEG's voxels coincide with it, the map is returned on
            it, else on the SEG's own grid (positions count, not SliceThickness).
        where: Patient, for messages.
    """
    labels = match_segments(segmentation, rules, where=where)
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
    segments = np.asarray(volume.array) >= 0.5  # (z, y, x, segment)
    own = np.zeros(segments.shape[:3], dtype=np.uint8)
    for label in _PRIORITY:
        for k, segment_label in enumerate(labels.values()):
            if segment_label == label:
                own[segments[..., k]] = label
    affine = np.asarray(volume.affine, dtype=float)
    affine[:, :3] = affine[:, 2::-1]  # columns in the order x, y, z
    placed = _place(own, affine, grid)
    return placed if placed is not None else LabelMap(own, _own_grid(own, affine))


def _place(labels: np.ndarray, affine: np.ndarray, grid: Grid) -> LabelMap | None:
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


def _own_grid(labels: np.ndarray, affine: np.ndarray) -> Grid:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    depth, height, width = labels.shape
    return Grid(
        size=(width, height, depth),
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin=(float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3])),
        direction=affine[:3, :3] / spacing,
    )


def merge_label_maps(maps: list[LabelMap], *, where: str) -> LabelMap:
    """Join label maps of several SEG files of one phase, each holding some segments.

    Raises:
        ImageError: They lie on different grids.
    """
    merged = maps[0].labels.copy()
    for other in maps[1:]:
        same = other.labels.shape == merged.shape and np.allclose(
            other.grid.affine, maps[0].grid.affine, atol=1e-3
        )
        if not same:
            raise ImageError(
                "its segmentations lie on different grids",
                where=where,
                expected="segments of one phase on the same slices",
                remedy="Join them into one SEG, or give one NIfTI mask in the masks folder.",
            )
    for label in _PRIORITY:
        for each in maps:
            merged[each.labels == label] = label
    return LabelMap(merged, maps[0].grid)

"""Which of a patient's SEG objects count, and how those of one phase become one label map.

Objects that complement each other (a liver, a tumor, another tumor) are united. Two drawings of
one region are two readers' opinions: their union is nobody's, so it is refused.
"""

import re
from collections.abc import Iterable
from itertools import combinations

import numpy as np

from mtl_hcc.cohorts.dicom.segment_meaning import REGIONS, SAY_WHAT_THEY_ARE, Segment, listed
from mtl_hcc.cohorts.dicom.segmentation import LabelMap, Segmentation
from mtl_hcc.errors import ImageError
from mtl_hcc.regions import Label

_SAME_PLACE = 0.05
"""Regions that share more than this part of the smaller one were drawn on the same thing."""
_WHOSE = (
    "Say whose count: reader, a regular expression for one of these names (data.source.reader); or "
    "take the others out of the tree."
)
_TEXTS = ("SeriesDescription", "ContentLabel", "ContentDescription")


def choose_reader(
    segmentations: list[Segmentation], reader: str | None, *, where: str
) -> list[Segmentation]:
    """Return the SEG objects of a reader; all of them when none is named.

    Args:
        segmentations: Of one patient.
        reader: Regular expression for a SEG as :func:`listed_name` gives it, or for the name of
            its author.
        where: Patient, for messages.

    Raises:
        ImageError: There are some, and none is the reader's.
    """
    if reader is None or not segmentations:
        return segmentations
    found = [each for each in segmentations if re.search(reader, _texts(each), re.IGNORECASE)]
    if found:
        return found
    raise ImageError(
        f"no segmentation is of reader {reader!r}, only {_listed(segmentations)}",
        where=where,
        remedy="Set reader to a regular expression that finds one of them, or leave it out.",
    )


def listed_name(segmentation: Segmentation) -> str:
    """Return by what a SEG is called in messages: series, descriptions and folder, no person."""
    data = segmentation.data
    texts = dict.fromkeys(text for name in _TEXTS if (text := str(data.get(name) or "").strip()))
    number = data.get("SeriesNumber")
    series = f"series {number}" if number is not None else "series without number"
    place = f"{segmentation.folder}/{segmentation.path.name}".lstrip("/")
    return ", ".join([series, *(f'"{text}"' for text in texts), place])


def _texts(segmentation: Segmentation) -> str:
    return f"{listed_name(segmentation)} {segmentation.data.get('ContentCreatorName') or ''}"


def _listed(segmentations: Iterable[Segmentation]) -> str:
    return "; ".join(listed_name(each) for each in segmentations)


def unite_phases(
    maps: dict[str, list[tuple[Segmentation, LabelMap]]], *, where: str
) -> tuple[dict[str, LabelMap], list[str]]:
    """Make one label map of each phase, holding a liver and a tumor.

    Args:
        maps: Phase (or ``all`` for those drawn on none of the phases) to SEG objects with their
            label maps.
        where: Patient, for messages.

    Returns:
        Phase to its label map, and a remark on segments that are left out because their meaning
        is not clear.

    Raises:
        ImageError: A region is drawn twice, maps of one phase lie on different grids, or a phase
            has no liver or no tumor.
    """
    drawn = {
        phase: used for phase, some in maps.items() if (used := [m for m in some if _regions(m[1])])
    }
    if "all" in drawn and len(drawn) > 1:
        phases = [phase for phase in drawn if phase != "all"]
        raise ImageError(
            f"segmentations of {', '.join(phases)} ({_listed(m[0] for m in drawn[phases[0]])}) and "
            f"others drawn on none of the phases ({_listed(m[0] for m in drawn['all'])})",
            where=where,
            expected="one drawing of each region",
            remedy=_WHOSE,
        )
    segments = [segment for some in maps.values() for _, each in some for segment in each.segments]
    united = {
        phase: _unite(some, segments, where if phase == "all" else f"{where}, {phase}")
        for phase, some in (drawn or {"all": []}).items()
    }
    unclear = [segment for segment in segments if segment.meaning == "unclear"]
    if not unclear:
        return united, []
    remark = f"{where}: segments left out, as their meaning is not clear: {listed(unclear)}"
    return united, [f"{remark}. {SAY_WHAT_THEY_ARE}"]


def _regions(label_map: LabelMap) -> bool:
    return any(segment.meaning in REGIONS for segment in label_map.segments)


def _unite(
    maps: list[tuple[Segmentation, LabelMap]], segments: list[Segment], where: str
) -> LabelMap:
    for (one, first), (other, second) in combinations(maps, 2):
        _check_grids(first, second, where)
        for label in (Label.LIVER, Label.TUMOR, Label.LOAT):
            if _drawn_twice(first.labels, second.labels, label):
                raise ImageError(
                    f"two segmentations of the {label.name.lower()}: {_listed([one, other])}",
                    where=where,
                    expected="one drawing of each region",
                    remedy=_WHOSE,
                )
    present = {label for _, each in maps for label in np.unique(each.labels)}
    for label in (Label.LIVER, Label.TUMOR):
        if label not in present:
            raise ImageError(
                f"no {label.name.lower()} in its segmentation; segments: {listed(segments)}",
                where=where,
                expected="a liver and a tumor",
                remedy=SAY_WHAT_THEY_ARE,
            )
    merged = np.zeros_like(maps[0][1].labels)
    for label in (Label.LIVER, Label.LOAT, Label.TUMOR):  # where they overlap the later one wins
        for _, each in maps:
            merged[each.labels == label] = label
    return LabelMap(merged, maps[0][1].grid, tuple(segments))


def _check_grids(first: LabelMap, second: LabelMap, where: str) -> None:
    same = first.labels.shape == second.labels.shape and np.allclose(
        first.grid.affine, second.grid.affine, atol=1e-3
    )
    if not same:
        raise ImageError(
            "its segmentations lie on different grids",
            where=where,
            expected="segments of one phase on the same slices",
            remedy="Join them into one SEG, or give one NIfTI mask in the masks folder.",
        )


def _drawn_twice(first: np.ndarray, second: np.ndarray, label: Label) -> bool:
    """Tell whether two maps hold the same region twice, drawn differently.

    Tumors at different places are different lesions. There is one liver, whatever its place; a
    copy of it, tumor included, is no second opinion.
    """
    a, b = first == label, second == label
    if not a.any() or not b.any() or np.array_equal(a, b):
        return False
    if label == Label.LIVER:
        organs = [(each == Label.LIVER) | (each == Label.TUMOR) for each in (first, second)]
        return not np.array_equal(*organs)
    shared = np.count_nonzero(a & b)
    return bool(shared > _SAME_PLACE * min(np.count_nonzero(a), np.count_nonzero(b)))

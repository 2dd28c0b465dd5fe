"""Which slices make up one volume: a series may hold a localizer, or all phases at once.

A series is divided, in this order, by orientation, stack (of an enhanced image), and then wherever
the parts overlap in space (parts that lie one above the other are one stitched volume) by kind of
image, thickness, AcquisitionNumber, TemporalPositionIdentifier, ContrastBolusStartTime,
TriggerTime (Philips), phase that an enhanced image names, echo, diffusion weighting, multi-frame
file and pauses in the AcquisitionTime. Positions that still occur several times are dealt out in
the order of time, then of InstanceNumber.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtl_hcc.cohorts.dicom.header import DicomHeader

_PAUSE_SECONDS = 8.0
"""Two phases are further apart than this, two slices of one phase are not."""
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True)
class Volume:
    """Slices of one patient that were acquired together, in ascending order along the normal.

    Attributes:
        name: ``<series number>`` or ``<series number>-<k>`` when the series holds several.
        slices: At least two headers, unless the series holds a single slice.
    """

    name: str
    slices: tuple[DicomHeader, ...]

    @property
    def first(self) -> DicomHeader:
        """Header that speaks for the volume where all slices agree."""
        return self.slices[0]

    @property
    def seconds(self) -> float | None:
        """When its first slice was acquired."""
        return min((s.seconds for s in self.slices if s.seconds is not None), default=None)

    @property
    def after_bolus(self) -> float | None:
        """Seconds from the contrast injection to its first slice."""
        times = [s.after_bolus for s in self.slices if s.after_bolus is not None]
        return min(times, default=None)

    @property
    def axial(self) -> bool:
        """Whether the slices are axial, within 45 degrees."""
        orientation = self.first.orientation
        return orientation is not None and bool(np.abs(normal(orientation)).argmax() == 2)

    @property
    def spacing_mm(self) -> float:
        """Distance between neighboring slices in mm; 0 for a single place."""
        steps = np.diff(np.unique(np.round(heights(list(self.slices)) / _SAME_PLACE_MM)))
        return float(np.median(steps)) * _SAME_PLACE_MM if len(steps) else 0.0

    @property
    def span(self) -> tuple[float, float] | None:
        """When its first and its last slice were acquired, in seconds."""
        times = [s.seconds for s in self.slices if s.seconds is not None]
        return (min(times), max(times)) if times else None

    @property
    def places(self) -> int:
        """At how many places along the normal there are slices."""
        return len(set(np.round(heights(list(self.slices)) / _SAME_PLACE_MM).astype(int)))


def normal(orientation: tuple[float, ...]) -> np.ndarray:
    """Return the unit vector (3,) in which the slices are stacked: row x column."""
    vector = np.cross(orientation[:3], orientation[3:])
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def heights(slices: list[DicomHeader]) -> np.ndarray:
    """Return the place (slice,) of each slice along its normal in mm."""
    return np.array(
        [
            float(np.dot(s.position, normal(s.orientation))) if s.position and s.orientation else 0
            for s in slices
        ]
    )


def find_volumes(headers: list[DicomHeader]) -> list[Volume]:
    """Divide the images of one study into volumes.

    Args:
        headers: CT or MR slices of one patient and study, in any order. The same instance lying
            in two places counts once.

    Returns:
        Volumes in the order of series, then time. Whether their geometry is sound is not looked
        at here: a damaged volume that nobody needs is nobody's problem.
    """
    by_series: dict[str, list[DicomHeader]] = defaultdict(list)
    seen: set[tuple[str, int | None]] = set()
    for header in headers:
        if header.instance and (header.instance, header.frame) in seen:
            continue
        seen.add((header.instance, header.frame))
        by_series[header.series].append(header)
    volumes: list[Volume] = []
    taken: set[str] = set()
    for series in sorted(by_series.values(), key=_series_order):
        parts = sorted(divide(series), key=_part_order)
        base = _free_name(series[0], taken)
        for k, part in enumerate(parts, 1):
            order = np.argsort(heights(part), kind="stable")
            name = base if len(parts) == 1 else f"{base}-{k}"
            volumes.append(Volume(name, tuple(part[i] for i in order)))
    return volumes


def divide(series: list[DicomHeader]) -> list[list[DicomHeader]]:
    """Divide the slices of one series into parts that each hold one slice per place."""
    lost = [s for s in series if s.orientation is None or s.position is None]
    if lost:  # stay with the largest part, so that it is refused by their names when needed
        rest = [s for s in series if s.orientation is not None and s.position is not None]
        parts = divide(rest) if rest else [[]]
        max(parts, key=len).extend(lost)
        return parts
    parts = _split(series, lambda s: (_rounded(s.orientation), s.stack), only_overlapping=False)
    keys: list[Callable[[DicomHeader], Hashable]] = [
        lambda s: s.image_type,
        lambda s: None if s.thickness is None else round(s.thickness, 1),
        lambda s: s.acquisition_number,
        lambda s: s.temporal_position,
        lambda s: s.bolus_start,
        lambda s: s.trigger_time,
        lambda s: s.contrast_phase,
        lambda s: s.echo_time,
        lambda s: s.b_value,
        lambda s: s.instance if s.frame is not None else "",
    ]
    for key in keys:
        parts = [new for part in parts for new in _split(part, key, only_overlapping=True)]
    parts = [new for part in parts for new in _split_at_pauses(part)]
    return [new for part in parts for new in _deal_out(part)]


def _split(
    part: list[DicomHeader], key: Callable[[DicomHeader], Hashable], *, only_overlapping: bool
) -> list[list[DicomHeader]]:
    groups: dict[Hashable, list[DicomHeader]] = defaultdict(list)
    for header in part:
        groups[key(header)].append(header)
    new = list(groups.values())
    if not only_overlapping:
        return new
    if len(new) * 2 > len(part) or not _overlap(new):
        return [part]
    return new


def _overlap(groups: list[list[DicomHeader]]) -> bool:
    """Tell whether two groups share a stretch of the body (or a single place)."""
    ends = sorted((float(heights(g).min()), float(heights(g).max())) for g in groups)
    return any(below[1] > above[0] - _SAME_PLACE_MM for below, above in pairwise(ends))


def _split_at_pauses(part: list[DicomHeader]) -> list[list[DicomHeader]]:
    if any(s.seconds is None for s in part):
        return [part]
    times = sorted({float(s.seconds or 0.0) for s in part})
    starts = [b for a, b in pairwise(times) if b - a > _PAUSE_SECONDS]
    return _split(
        part,
        lambda s: int(np.searchsorted(starts, s.seconds or 0.0, "right")),
        only_overlapping=True,
    )


def _deal_out(part: list[DicomHeader]) -> list[list[DicomHeader]]:
    """Deal slices at the same place out to different volumes: the first, the second, ..."""
    places: dict[int, list[DicomHeader]] = defaultdict(list)
    for header, height in zip(part, heights(part), strict=True):
        places[round(height / _SAME_PLACE_MM)].append(header)
    counts = {len(slices) for slices in places.values()}
    if counts == {1} or len(counts) > 1 or len(places) < 2:
        return [part]  # uneven repeats stay together, and are refused when the volume is needed
    volumes: list[list[DicomHeader]] = [[] for _ in range(counts.pop())]
    for slices in places.values():
        slices.sort(key=lambda s: (s.seconds or 0.0, s.instance_number or 0))
        for volume, header in zip(volumes, slices, strict=True):
            volume.append(header)
    return volumes


def _rounded(orientation: tuple[float, ...] | None) -> tuple[float, ...] | None:
    return None if orientation is None else tuple(round(v, 2) + 0.0 for v in orientation)


def _series_order(series: list[DicomHeader]) -> tuple[int, str]:
    return (series[0].series_number or 0, series[0].series)


def _part_order(part: list[DicomHeader]) -> tuple[float, int, int]:
    seconds = [s.seconds for s in part if s.seconds is not None]
    return (
        min(seconds, default=0.0),
        min(s.acquisition_number or 0 for s in part),
        min(s.instance_number or 0 for s in part),
    )


def _free_name(header: DicomHeader, taken: set[str]) -> str:
    base = str(header.series_number) if header.series_number is not None else "unnumbered"
    name, k = base, 0
    while name in taken:
        k += 1
        name = f"{base}{chr(96 + k)}"
    taken.add(name)
    return name

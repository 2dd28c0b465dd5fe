"""What of one patient's DICOM files is used: which study, which volumes, which segmentations."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from mtl_hcc.cohorts.dicom.dicom_files import IMAGES
from mtl_hcc.cohorts.dicom.drawn_liver import drawn_livers
from mtl_hcc.cohorts.dicom.frames import source_frames
from mtl_hcc.cohorts.dicom.geometry import VolumeGrid, volume_grid
from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.cohorts.dicom.measure import measure
from mtl_hcc.cohorts.dicom.phase_rules import PhaseRules
from mtl_hcc.cohorts.dicom.phases import assign_phases
from mtl_hcc.cohorts.dicom.pixels import read_voxels
from mtl_hcc.cohorts.dicom.segment_readers import choose_reader, listed_name, unite_phases
from mtl_hcc.cohorts.dicom.segmentation import (
    LabelMap,
    Segmentation,
    check_frame_of_reference,
    open_segmentation,
    read_label_map,
)
from mtl_hcc.cohorts.dicom.volumes import Volume, find_volumes
from mtl_hcc.errors import ImageError

_ELSEWHERE = "elsewhere"
_SAME_SECONDS = 8.0
"""Volumes whose acquisition began within this time show the same phase."""
Study = Literal["only", "earliest", "segmented"]


@dataclass(frozen=True)
class ReadingRules:
    """How one patient's files are read.

    Attributes:
        phases: How volumes are told apart.
        segments: The user's rules for segments; see
            :func:`mtl_hcc.cohorts.dicom.segment_meaning.read_segments`.
        reader: Whose segmentations count, where there are several readers.
        study: Which study counts when a patient has several: ``only`` refuses them, ``earliest``
            takes the first, ``segmented`` the first that holds a segmentation.
        largest_gap: Slices may leave this fraction of their thickness unseen between them.
        masks_elsewhere: This patient's masks are given as NIfTI and stand instead of segmentations.
    """

    phases: PhaseRules = field(default_factory=PhaseRules)
    segments: dict[str, str] = field(default_factory=dict)
    reader: str | None = None
    study: Study = "only"
    largest_gap: float = 0.5
    masks_elsewhere: bool = False


@dataclass(frozen=True)
class PatientVolumes:
    """One patient, read.

    Attributes:
        images: Phase to voxels (depth, height, width), HU for CT, and their grid.
        regions: Phase (or ``all`` for a map that belongs to no phase alone) to its label map.
        sources: Phase to the name of the volume it came from.
        remarks: What somebody should know who looks at this patient.
    """

    images: dict[str, tuple[np.ndarray, VolumeGrid]]
    regions: dict[str, LabelMap]
    sources: dict[str, str]
    remarks: list[str]


def read_patient(
    patient_id: str,
    headers: list[DicomHeader],
    damaged: list[Path],
    rules: ReadingRules,
    *,
    masks: Sequence[Path] = (),
) -> PatientVolumes:
    """Read all phases and label maps of one patient.

    Args:
        patient_id: Name of the patient, for messages.
        headers: Everything of this patient.
        damaged: Unreadable DICOM files in this patient's folders.
        rules: How to read.
        masks: NIfTI label maps of this patient that take the place of segmentations.

    Raises:
        ImageError: The first thing that makes the patient unusable.
    """
    who = f"patient {patient_id}"
    headers = choose_study(headers, rules.study, patient_id)
    volumes = find_volumes([header for header in headers if header.modality in IMAGES])
    if not volumes:
        raise ImageError("no CT or MR image", where=who, remedy="Add the images to the tree.")
    opened = choose_reader(_open_all(headers, who), rules.reader, where=who)
    drawn = {id(each): _drawn_on(each, volumes) for each in opened}
    drawn_on = next((volume for volume in drawn.values() if volume is not None), None)
    segmentations = [(each, drawn[id(each)]) for each in opened if not rules.masks_elsewhere]
    livers = drawn_livers(segmentations, masks, rules.segments, where=who)
    found = assign_phases(
        volumes,
        rules.phases,
        patient_id=patient_id,
        drawn_on=drawn_on,
        measure=partial(measure, livers=livers, largest_gap=rules.largest_gap),
    )
    images: dict[str, tuple[np.ndarray, VolumeGrid]] = {}
    for name, volume in found.items():
        where = f"{who}, {name}, series {volume.name} in {volume.first.folder}"
        _check_damaged(volume, damaged, where)
        grid = volume_grid(volume, where=where, largest_gap=rules.largest_gap)
        images[name] = (read_voxels(volume, where=where), grid)
    if not opened and not rules.masks_elsewhere:
        raise _no_segmentation(headers, who)
    regions: dict[str, LabelMap] = {}
    remarks: list[str] = []
    if not rules.masks_elsewhere:
        regions, remarks = _read_maps(opened, drawn, found, images, rules, who)
    return PatientVolumes(images, regions, {phase: v.name for phase, v in found.items()}, remarks)


def _open_all(headers: list[DicomHeader], who: str) -> list[Segmentation]:
    """Open the segmentations; the same instance lying in two places counts once."""
    files = {h.instance or str(h.path): h for h in headers if _is_seg(h)}
    return [
        open_segmentation(header.path, where=who, folder=header.folder)
        for header in sorted(files.values(), key=lambda header: header.path)
    ]


def _read_maps(
    opened: list[Segmentation],
    drawn: dict[int, Volume | None],
    found: dict[str, Volume],
    images: dict[str, tuple[np.ndarray, VolumeGrid]],
    rules: ReadingRules,
    who: str,
) -> tuple[dict[str, LabelMap], list[str]]:
    """Return one label map per phase that was drawn on (or ``all``), and remarks on them."""
    phases = {id(each): _phase_of(each, drawn[id(each)], found) for each in opened}
    elsewhere = [each for each in opened if phases[id(each)] == _ELSEWHERE]
    if len(elsewhere) == len(opened):
        elsewhere = []  # no phase has a map of its own: these serve all of them
    maps: dict[str, list[tuple[Segmentation, LabelMap]]] = defaultdict(list)
    for each in opened:
        if each in elsewhere:
            continue
        phase = phases[id(each)] if phases[id(each)] in found else "all"
        reference = phase if phase in found else next(iter(found))
        frame = found[reference].first.frame_of_reference
        check_frame_of_reference(each, frame, where=who)
        label_map = read_label_map(each, rules.segments, images[reference][1], where=who)
        maps[phase].append((each, label_map))
    regions, remarks = unite_phases(maps, where=who)
    remarks += [
        f"{who}: left out the segmentation {listed_name(each)}: drawn on a series that is not "
        "there, or shows none of the phases wanted"
        for each in elsewhere
    ]
    return regions, remarks


def _phase_of(each: Segmentation, drawn_on: Volume | None, found: dict[str, Volume]) -> str:
    """Return the phase that a segmentation was drawn on, ``elsewhere``, or ``all`` if untold.

    Another reconstruction of the same acquisition shows the same phase.
    """
    if drawn_on is None:
        here = {header.instance for volume in found.values() for header in volume.slices}
        return _ELSEWHERE if each.sources and not each.sources & here else "all"
    for phase, volume in found.items():
        if volume is drawn_on:
            return phase
    for phase, volume in found.items():
        times = (volume.seconds, drawn_on.seconds)
        if None not in times and abs(float(times[0] or 0) - float(times[1] or 0)) < _SAME_SECONDS:
            return phase
    return _ELSEWHERE


def choose_study(headers: list[DicomHeader], study: Study, patient_id: str) -> list[DicomHeader]:
    """Return the headers of the study that counts.

    Raises:
        ImageError: There are several, and the rules do not say which counts.
    """
    studies: dict[str, list[DicomHeader]] = defaultdict(list)
    for header in headers:
        studies[header.study].append(header)
    with_images = [s for s in studies.values() if any(h.modality in IMAGES for h in s)]
    if len(with_images) <= 1:
        return headers  # a segmentation may carry a study of its own
    if study == "only":
        counts = ", ".join(
            f"{len({h.series for h in s})} series in {s[0].folder}" for s in with_images
        )
        raise ImageError(
            f"{len(with_images)} studies ({counts})",
            where=f"patient {patient_id}",
            expected="one study per patient",
            remedy="Set study to earliest or segmented, or move the others out of the tree.",
        )
    with_images.sort(key=lambda s: (min(h.study_date or "99999999" for h in s), s[0].study))
    if study == "segmented":
        segmented = [s for s in with_images if any(_is_seg(h) for h in s)]
        return (segmented or with_images)[0]
    return with_images[0]


def _is_seg(header: DicomHeader) -> bool:
    return header.modality == "SEG"


def _drawn_on(segmentation: Segmentation, volumes: list[Volume]) -> Volume | None:
    """Return the one volume that holds most of the instances the segmentation refers to."""
    frames = source_frames(segmentation.data)
    counts = [
        sum(
            h.instance in segmentation.sources
            and (h.frame is None or h.frame in frames.get(h.instance, {h.frame}))
            for h in v.slices
        )
        for v in volumes
    ]
    most = max(counts)
    if most == 0 or counts.count(most) > 1:
        return None
    return volumes[counts.index(most)]


def _check_damaged(volume: Volume, damaged: list[Path], where: str) -> None:
    folders = {header.path.parent for header in volume.slices}
    for path in damaged:
        if path.parent in folders:
            raise ImageError(
                f"the header of {path.name} is damaged or truncated",
                where=where,
                remedy="Copy or export the file again, or remove it if it is no slice.",
            )


def _no_segmentation(headers: list[DicomHeader], who: str) -> ImageError:
    structures = [header.path.name for header in headers if header.modality == "RTSTRUCT"]
    if structures:
        return ImageError(
            f"masks are contours ({structures[0]} is an RT structure set), which are not read",
            where=who,
            expected="a DICOM SEG, or NIfTI masks",
            remedy="Convert them (e.g. with 3D Slicer or plastimatch) to SEG, or to NIfTI in the "
            "folder named by masks.",
        )
    return ImageError(
        "no segmentation of liver and tumor",
        where=who,
        expected="a DICOM SEG in the same study, or NIfTI masks",
        remedy="Add the SEG file, or set masks to a folder with <patient_id>/regions.nii.gz.",
    )

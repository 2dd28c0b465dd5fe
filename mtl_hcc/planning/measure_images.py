"""Spacings, extents and intensities of training patients, from the files as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mtl_hcc.errors import CohortError, ImageError
from mtl_hcc.imaging import quality
from mtl_hcc.imaging.plausibility import check_plausible
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.scan import Scan, read_scans
from mtl_hcc.patient import Cohort, Patient
from mtl_hcc.planning.measured import Floats, MeasuredImages
from mtl_hcc.regions import Label
from mtl_hcc.store.workers import bounded_workers, run_all

PERCENTILES = (0.5, 99.5)
_VOXELS = 20_000
"""Drawn from each image, so that a large liver counts no more than a small one."""
_LESIONS = 20
"""The largest ones whose distances are measured."""


@dataclass(frozen=True)
class MeasuredPatient:
    """One patient; with a reason nothing was measured."""

    patient_id: str
    reason: str = ""
    spacing: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tumor_mm: tuple[float, ...] = ()
    largest_mm: tuple[float, ...] = ()
    liver_mm: tuple[float, ...] = ()
    diameter_mm: float = 0.0
    lesions: int = 0
    apart_mm: float = 0.0
    foreground: tuple[Floats, ...] = ()
    tumor: tuple[Floats, ...] = ()


def drawn_patients(train: Sequence[str], most: int, *, seed: int) -> list[str]:
    """Draw who is measured, in the order of the table.

    Args:
        train: Training patients with images.
        most: How many at most.
        seed: Of the draw.
    """
    chosen = np.random.default_rng(seed).permutation(len(train))[:most]
    return [train[place] for place in sorted(chosen)]


def measure_images(
    cohort: Cohort, patients: Sequence[str], preparation: Preparation, *, workers: int
) -> MeasuredImages:
    """Measure some patients; who cannot be read or cannot be right is named, and left out.

    Args:
        cohort: Their files.
        patients: Training patients.
        preparation: Phases and modality, as they will be prepared.
        workers: Processes; -1 for all cores.

    Raises:
        CohortError: Nobody could be measured.
    """
    jobs = {name: partial(measure_patient, cohort.patients[name], preparation) for name in patients}
    some = Cohort(cohort.root, cohort.table, {name: cohort.patients[name] for name in patients})
    count = bounded_workers(some, preparation, workers)
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*bars, TimeElapsedColumn()) as bar:
        finished = run_all(jobs, count, lambda name, reason: MeasuredPatient(name, reason=reason))
        tracked = bar.track(finished, total=len(jobs), description="Measuring patients")
        by_name = {result.patient_id: result for result in tracked}
    results = [by_name[name] for name in patients]  # in the table's order, whatever came first
    good = [result for result in results if not result.reason]
    if not good:
        raise CohortError(
            f"none of the {len(results)} training patients could be measured; the first: "
            f"{results[0].reason if results else 'there is none'}",
            where=str(cohort.root),
            remedy="Mend what the message names, and give the command again.",
        )
    return _together(good, results, is_ct=preparation.is_ct)


def measure_patient(patient: Patient, preparation: Preparation) -> MeasuredPatient:
    """Measure one patient, or say why that is not possible, as preparing would.

    Args:
        patient: Where the files lie.
        preparation: Phases and modality.
    """
    try:
        scans, reference = read_scans(patient, preparation)
        check_plausible(scans, reference, preparation)
    except ImageError as error:
        return MeasuredPatient(patient.patient_id, reason=str(error))
    on, drawn = reference.regions, reference.drawn(Label.TUMOR)
    lesions = quality.lesions(drawn, on, min_mm3=preparation.min_tumor_mm3)
    step = np.array(on.GetSpacing())
    boxes = [_box(lesion) for lesion in lesions[:_LESIONS]] or [_box(drawn)]
    centers = np.array([(low + high) / 2 * step for low, high in boxes])
    low, high = _box(lesions.together() if lesions else drawn)
    liver = reference.drawn(Label.LIVER, Label.TUMOR)
    has_liver = bool(reference.drawn(Label.LIVER).any())
    ends = _box(liver)
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    random = np.random.default_rng(0)
    return MeasuredPatient(
        patient_id=patient.patient_id,
        spacing={scan.place.phase: _spacing(scan) for scan in scans},
        tumor_mm=tuple((high - low) * step),
        largest_mm=tuple((boxes[0][1] - boxes[0][0]) * step),
        liver_mm=tuple((ends[1] - ends[0]) * step) if has_liver else (np.nan,) * 3,
        diameter_mm=quality.axial_diameter_mm(lesions[0] if lesions else drawn, on),
        lesions=max(1, len(lesions)),
        apart_mm=float(distances.max()),
        foreground=tuple(_some(scan.intensities(), random) for scan in scans),
        tumor=tuple(_some(scan.intensities((Label.TUMOR,)), random) for scan in scans),
    )


def _together(
    good: Sequence[MeasuredPatient], results: Sequence[MeasuredPatient], *, is_ct: bool
) -> MeasuredImages:
    phases = dict.fromkeys(phase for one in good for phase in one.spacing)
    return MeasuredImages(
        is_ct=is_ct,
        spacing={
            phase: np.array([one.spacing[phase] for one in good if phase in one.spacing])
            for phase in phases
        },
        tumor_mm=np.array([one.tumor_mm for one in good]),
        largest_mm=np.array([one.largest_mm for one in good]),
        diameter_mm=np.array([one.diameter_mm for one in good]),
        lesions=np.array([one.lesions for one in good], dtype=np.float64),
        apart_mm=np.array([one.apart_mm for one in good]),
        liver_mm=np.array([one.liver_mm for one in good]),
        foreground=_window([voxels for one in good for voxels in one.foreground]),
        tumor=_window([voxels for one in good for voxels in one.tumor]),
        refused={one.patient_id: one.reason for one in results if one.reason},
    )


def _window(images: Sequence[Floats]) -> tuple[float, float]:
    """Return percentiles over all images, each of which weighs the same."""
    images = [voxels for voxels in images if voxels.size]
    if not images:
        return (np.nan, np.nan)
    values = np.concatenate(images)
    weights = np.concatenate([np.full(voxels.size, 1 / voxels.size) for voxels in images])
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / len(images)
    places = np.searchsorted(shares, np.array(PERCENTILES) / 100 - 1e-12)
    low, high = values[order][np.minimum(places, values.size - 1)]
    return float(low), float(high)


def _box(mask: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> tuple[Floats, Floats]:
    """Return first and last-plus-one voxel (x, y, z) of a mask."""
    spans = quality.bounding_box(mask)[::-1]
    return np.array([s.start for s in spans], float), np.array([s.stop for s in spans], float)


def _spacing(scan: Scan) -> tuple[float, float]:
    """Return voxel size in plane and distance of the slices, in mm."""
    x, y, z = scan.image.GetSpacing()
    return (x + y) / 2, z


def _some(
    voxels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", random: np.random.Generator
) -> Floats:
    """Return some of an image's intensities."""
    if voxels.size <= _VOXELS:
        return voxels.astype(np.float64)
    return voxels[random.integers(0, voxels.size, _VOXELS)].astype(np.float64)

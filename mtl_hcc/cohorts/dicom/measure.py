"""Measures aorta, liver and spleen in the volumes of one patient, at the same places in all."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from mtl_hcc.cohorts.dicom.enhancement import Enhancement
from mtl_hcc.cohorts.dicom.geometry import VolumeGrid, volume_grid
from mtl_hcc.cohorts.dicom.lattice import IN_PLANE_MM, Lattice, make_lattice, sample
from mtl_hcc.cohorts.dicom.pixels import read_voxels
from mtl_hcc.cohorts.dicom.vessels import Course, find_aorta, find_spine, mean_along, without_noise
from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.errors import ImageError

_SLICE_MM = 4.0
"""Slices closer than this are left out: reading all of them takes long and tells no more."""
_MOVED_MM = 12.0
"""A patient's aorta moves less between two scans; what stands out farther away is not the aorta."""
_SPLEEN_HU = (25.0, 250.0)
_SPLEEN_X_MM = 45.0
_SPLEEN_Y_MM = (-70.0, 30.0)
_LEAST_SPLEEN_ML = 15.0


def measure(
    volumes: list[Volume], livers: Mapping[str, np.ndarray], *, largest_gap: float = 0.5
) -> dict[str, Enhancement]:
    """Measure the CT volumes of one patient.

    Args:
        volumes: What is to be measured; MR volumes are passed over.
        livers: Name of a volume to places (point, 3) of the liver that was drawn on it; under
            ``""`` those for all others.
        largest_gap: As in :func:`mtl_hcc.cohorts.dicom.geometry.volume_grid`.

    Returns:
        Name of a volume to what was measured. A volume that cannot be read says why.
    """
    found: dict[str, Enhancement] = {}
    spaces: dict[str, list[tuple[Volume, np.ndarray, VolumeGrid]]] = defaultdict(list)
    for volume in volumes:
        if volume.first.modality != "CT":
            continue
        try:
            voxels, grid = _read(volume, largest_gap)
        except ImageError as error:
            found[volume.name] = Enhancement(unreadable=error.found)
            continue
        spaces[volume.first.frame_of_reference].append((volume, voxels, grid))
    for scans in spaces.values():
        places = [livers[v.name] for v, _, _ in scans if v.name in livers]
        drawn = places[0] if places else livers.get("", np.zeros((0, 3)))
        found.update(_measure_space(scans, livers, drawn))
    return found


def _read(volume: Volume, largest_gap: float) -> tuple[np.ndarray, VolumeGrid]:
    grid = volume_grid(volume, where="", largest_gap=largest_gap)
    step = max(1, int(_SLICE_MM / grid.spacing[2]))
    kept = volume.slices[::step]
    thinned = VolumeGrid(
        size=(*grid.size[:2], len(kept)),
        spacing=(*grid.spacing[:2], grid.spacing[2] * step),
        origin=grid.origin,
        direction=grid.direction,
    )
    return read_voxels(Volume(volume.name, kept), where=""), thinned


def _measure_space(
    scans: list[tuple[Volume, np.ndarray, VolumeGrid]],
    livers: Mapping[str, np.ndarray],
    drawn: np.ndarray,
) -> dict[str, Enhancement]:
    """Measure the volumes that share a patient space."""
    lattice = make_lattice([grid for _, _, grid in scans], drawn)
    points = lattice.points()
    images = {
        v.name: sample(voxels, grid, points).reshape(lattice.shape) for v, voxels, grid in scans
    }
    liver: dict[str, float | None] = {}
    covered: dict[str, float] = {}
    for volume, voxels, grid in scans:
        values = sample(voxels, grid, livers.get(volume.name, drawn))
        inside = values[~np.isnan(values)]
        covered[volume.name] = len(inside) / len(values) if len(values) else 1.0
        liver[volume.name] = float(np.median(inside)) if len(inside) else None
    seen = [
        name for name in images if Enhancement(liver=liver[name], covered=covered[name]).shows_liver
    ]
    aortas, spleens = _vessels_and_spleen({name: images[name] for name in seen}, lattice)
    return {
        name: Enhancement(aortas.get(name), liver[name], spleens.get(name), covered[name])
        for name in images
    }


def _vessels_and_spleen(
    images: dict[str, np.ndarray], lattice: Lattice
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Measure the aorta along its own course in each image, else along the surest of the others."""
    if not images:
        return {}, {}
    smooth = {name: without_noise(image) for name, image in images.items()}
    spines = [find_spine(np.minimum.reduce(list(smooth.values())))]
    spines += [find_spine(image) for image in smooth.values()]
    spine = next((place for place in spines if place is not None), None)
    if spine is None:
        return {}, {}
    courses = {name: find_aorta(image, spine) for name, image in smooth.items()}
    known = [course for course in courses.values() if course is not None]
    surest = max(known, key=lambda course: course.contrast, default=None)
    aortas = {
        name: mean_along(image, _own(courses[name], surest))
        for name, image in images.items()
        if surest is not None
    }
    return aortas, {name: _spleen(image, spine) for name, image in images.items()}


def _own(course: Course | None, surest: Course) -> Course:
    if course is None:
        return surest
    apart = np.median(list(course.centers.values()), axis=0) - np.median(
        list(surest.centers.values()), axis=0
    )
    moved = float(np.hypot(*apart)) * IN_PLANE_MM
    return course if moved <= _MOVED_MM else surest


def _spleen(image: np.ndarray, spine: tuple[float, float]) -> float | None:
    """Return the median of the largest even soft tissue on the left of the spine, if there is."""
    first = int(spine[1] + _SPLEEN_X_MM / IN_PLANE_MM)
    top, bottom = (int(max(spine[0] + y / IN_PLANE_MM, 0)) for y in _SPLEEN_Y_MM)
    part = np.nan_to_num(image[:, top:bottom, first:], nan=-1000.0)
    if not part.size:
        return None
    mean = ndimage.uniform_filter(part, (1, 5, 5))
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(part**2, (1, 5, 5)) - mean**2, 0))
    even = (mean > _SPLEEN_HU[0]) & (mean < _SPLEEN_HU[1]) & (spread < 35)
    labels, count = ndimage.label(ndimage.binary_erosion(even, np.ones((1, 3, 3))))
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    if sizes.max() * IN_PLANE_MM**2 * 5 / 1000 < _LEAST_SPLEEN_ML:
        return None
    return float(np.median(part[labels == int(sizes.argmax()) + 1]))

"""Where the aorta is: the bright round vessel in front of the spine that runs through all slices.

No mask of it is needed. In each slice, circles are laid around the places in front and to the left
of the spine; an aorta is even inside and brighter than what lies around it on most sides (the
vertebra may touch it). What lies at the same place in most slices is the aorta. Without contrast
agent nothing stands out; then the place where another scan of the same patient shows it is used.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mtl_hcc.cohorts.dicom.lattice import IN_PLANE_MM

_BONE_HU = 160.0
_BODY_HU = -300.0
_MIDLINE_MM = 40.0
"""Standard deviation of how far a spine lies from the middle of the body."""
_VERTEBRA_MM = 14.0
"""Half of the width of the slimmest vertebra; a bright vessel beside it is slimmer."""
_LEAST_BONE = 0.03
"""Share of bone within 12 mm (standard deviation) that makes a spine."""
_RADII_MM = (7.0, 9.0, 11.0, 13.0)
_ZONE_X_MM = (-12.0, 46.0)
"""From the middle of the spine to the patient's left."""
_ZONE_Y_MM = (-64.0, 6.0)
"""From the middle of the spine to the front."""
_LEAST_DROP_HU = 20.0
_LEAST_SIDES = 0.6
"""Share of the directions in which it must get darker."""
_UNEVEN = (18.0, 0.1)
"""Standard deviation inside: at most so many HU, or this share of the mean if that is more."""
_COHERENT_MM = 10.0
_CORE_MM = 5.0
_ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False)


@dataclass(frozen=True)
class Course:
    """The course of a vessel.

    Attributes:
        centers: Slice of the lattice to its center (row, column), in lattice steps.
        contrast: Mean of how far it stands out, in HU; higher is surer.
    """

    centers: dict[int, tuple[float, float]]
    contrast: float


def without_noise(image: np.ndarray) -> np.ndarray:
    """Return a sample smoothed over about a vessel's core, also across slices; air outside."""
    return np.asarray(ndimage.gaussian_filter(np.nan_to_num(image, nan=-1000.0), (0.6, 1.0, 1.0)))


def find_spine(image: np.ndarray) -> tuple[float, float] | None:
    """Return the middle (row, column) of the spine: bone near the midline, in all slices.

    Args:
        image: HU at the lattice, (z, y, x), without noise; of several scans the lowest at each
            place, for bone stays bright and vessels do not.
    """
    body = image > _BODY_HU
    rows, columns = np.nonzero(body.mean(axis=0) > 0.5)
    if not len(rows):
        return None
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    bone = np.stack([_bone(plane) for plane in image])
    mass = ndimage.gaussian_filter((bone & body).mean(axis=0), 12 / IN_PLANE_MM, output=np.float32)
    aside = (np.arange(mass.shape[1]) - middle[1]) * IN_PLANE_MM / _MIDLINE_MM
    mass *= np.exp(-0.5 * aside**2)[None, :]
    mass[: int(middle[0])] = 0  # the back half of the body
    if mass.max() < _LEAST_BONE:
        return None
    row, column = np.unravel_index(int(mass.argmax()), mass.shape)
    return float(row), float(column)


def find_aorta(image: np.ndarray, spine: tuple[float, float]) -> Course | None:
    """Find the aorta where contrast agent shows it.

    Args:
        image: HU at the lattice, (z, y, x), without noise.
        spine: Middle (row, column) of the spine.

    Returns:
        Its course, or ``None`` where nothing stands out in half of the slices.
    """
    rows, columns = _zone(image.shape, spine)
    if not len(rows) or not len(columns):
        return None
    scores = np.stack([_stands_out(plane, rows, columns) for plane in image])
    reach = 2 * int(_COHERENT_MM / 2 / IN_PLANE_MM) + 1
    votes = ndimage.maximum_filter(scores, (1, reach, reach)).mean(axis=0)
    votes = ndimage.gaussian_filter(votes, 1.0)  # the middle of a plateau
    if votes.max() <= 0:
        return None
    seed = np.unravel_index(int(votes.argmax()), votes.shape)
    row, column = np.meshgrid(np.arange(len(rows)), np.arange(len(columns)), indexing="ij")
    near = np.hypot(row - seed[0], column - seed[1]) <= _COHERENT_MM / IN_PLANE_MM
    centers: dict[int, tuple[float, float]] = {}
    contrasts = []
    for k, score in enumerate(scores):
        inside = np.where(near, score, 0)
        if inside.max() > 0:
            i, j = np.unravel_index(int(inside.argmax()), inside.shape)
            centers[k] = (float(rows[i]), float(columns[j]))
            contrasts.append(float(inside.max()))
    if len(centers) < max(2, 0.5 * len(image)):
        return None
    return Course(centers, float(np.mean(contrasts)))


def mean_along(image: np.ndarray, course: Course) -> float | None:
    """Return the median over slices of the mean HU in the core of the vessel."""
    disc = np.argwhere(_disc(_CORE_MM)) - int(_CORE_MM / IN_PLANE_MM)
    means = []
    for k, (row, column) in course.centers.items():
        y, x = (disc + np.array([round(row), round(column)])).T
        sound = (y >= 0) & (y < image.shape[1]) & (x >= 0) & (x < image.shape[2])
        values = image[k, y[sound], x[sound]]
        if len(values) and not np.isnan(values).any():
            means.append(float(values.mean()))
    return float(np.median(means)) if len(means) >= 2 else None


def _zone(shape: tuple[int, ...], spine: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    row, column = spine
    rows = np.arange(row + _ZONE_Y_MM[0] / IN_PLANE_MM, row + _ZONE_Y_MM[1] / IN_PLANE_MM)
    columns = np.arange(column + _ZONE_X_MM[0] / IN_PLANE_MM, column + _ZONE_X_MM[1] / IN_PLANE_MM)
    margin = 20 / IN_PLANE_MM
    return (
        rows[(rows > margin) & (rows < shape[1] - margin)],
        columns[(columns > margin) & (columns < shape[2] - margin)],
    )


def _bone(plane: np.ndarray) -> np.ndarray:
    """Return bone, marrow included: what is bright, and what that encloses."""
    closed = ndimage.binary_closing(plane > _BONE_HU, _disc(4.0))
    return np.asarray(ndimage.binary_fill_holes(closed))


def _stands_out(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return for each place how far a round vessel there stands out in HU, 0 where none is."""
    plane = np.clip(plane, -150, 600)
    row, column = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
    center = np.stack([row, column])
    best = np.zeros(len(row), dtype=np.float32)
    for radius in _RADII_MM:
        inside = _around(plane, center, [0.0, 0.7 * radius])
        outside = _around(plane, center, [radius + 3.0])
        mean = inside.mean(axis=0)
        darker = mean - outside >= _LEAST_DROP_HU
        sides = darker.mean(axis=0)
        contrast = np.clip(mean - np.median(outside, axis=0), 0, 200)
        even = inside.std(axis=0) <= np.maximum(_UNEVEN[0], _UNEVEN[1] * mean)
        sound = (sides >= _LEAST_SIDES) & even & (mean > 60)
        best = np.maximum(best, np.where(sound, contrast * sides, 0))
    vertebra = ndimage.binary_opening(_bone(plane), _disc(_VERTEBRA_MM))
    best[ndimage.map_coordinates(vertebra.astype(np.float32), center, order=0) > 0] = 0
    return np.asarray(best.reshape(len(rows), len(columns)))


def _around(plane: np.ndarray, center: np.ndarray, radii: list[float]) -> np.ndarray:
    """Return values (sample, place) on circles around each place."""
    shifts = np.array(
        [
            (radius * np.sin(angle), radius * np.cos(angle))
            for radius in radii
            for angle in (_ANGLES if radius else _ANGLES[:1])
        ]
    )
    places = center[:, None, :] + shifts.T[:, :, None] / IN_PLANE_MM  # (axis, sample, place)
    return np.asarray(ndimage.map_coordinates(plane, places, order=1, mode="nearest"))


def _disc(radius_mm: float) -> np.ndarray:
    steps = int(radius_mm / IN_PLANE_MM)
    y, x = np.mgrid[-steps : steps + 1, -steps : steps + 1]
    return np.asarray(np.hypot(y, x) <= steps + 0.3)

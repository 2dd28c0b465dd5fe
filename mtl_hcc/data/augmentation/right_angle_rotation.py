r"""RightAngleRotation: a patient turned by right angles, so that no voxel is interpolated.

A rotation by any other angle averages neighboring voxels: it takes a third of the highest
frequencies, and the network then learns from smoother tissue than it is shown when it predicts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.data.augmentation.transform import Generators, Transform
from mtl_hcc.data.draws import Purpose
from mtl_hcc.imaging.view import View

Three = tuple[int, int, int]


@dataclass(frozen=True)
class CubeRotation:
    """One of the 24 rotations of a cube, about the center of the field.

    Attributes:
        axes: Which axis of the array (0 depth, 1 height, 2 width) comes to lie along each.
        signs: 1, or -1 for an axis that is reversed then.
    """

    axes: Three
    signs: Three

    @property
    def matrix(self) -> npt.NDArray[np.float32]:
        """(3, 3) from an offset (depth, height, width) to where it is moved."""
        rows = np.zeros((3, 3), dtype=np.float32)
        for row, (axis, sign) in enumerate(zip(self.axes, self.signs, strict=True)):
            rows[row, axis] = sign
        return rows

    @property
    def in_plane(self) -> bool:
        """Whether each slice is turned by itself."""
        return self.axes[0] == 0 and self.signs[0] == 1

    def degrees_to(self, other: "CubeRotation") -> int:
        """Return the angle of the rotation that leads from one to the other."""
        trace = np.trace(self.matrix.T @ other.matrix)
        return round(math.degrees(math.acos((trace - 1) / 2)))

    def turn(self, array: Tensor) -> Tensor:
        """Return a (patient, phase, depth, height, width) array turned, without interpolation."""
        turned = array.permute(0, 1, *(2 + axis for axis in self.axes))
        return turned.flip([2 + row for row, sign in enumerate(self.signs) if sign < 0])


def _well_spread() -> tuple[CubeRotation, ...]:
    every = [
        CubeRotation((a, b, c), (i, j, k))
        for a, b, c in permutations(range(3))
        for i, j, k in product((1, -1), repeat=3)
    ]
    left = [rotation for rotation in every if np.linalg.det(rotation.matrix) > 0]
    chosen = [left.pop(0)]
    while left:
        nearest = [min(one.degrees_to(other) for other in chosen) for one in left]
        chosen.append(left.pop(nearest.index(max(nearest))))
    return tuple(chosen)


CUBE_ROTATIONS = _well_spread()
"""The rotations that bring a cube onto itself: first the patient as it is, then each time the one
whose smallest angle to those before it is largest, so that the first ones are well spread."""


def allows(view: View, rotation: CubeRotation) -> bool:
    """Return whether a view's grid is brought onto itself.

    Args:
        view: What it shows.
        rotation: Of the stored field.
    """
    if view.spacing[2] is None and not rotation.in_plane:
        return False
    sides = list(zip(view.field_mm, view.seen_mm, view.spacing, strict=True))[::-1]
    return all(sides[row] == sides[axis] for row, axis in enumerate(rotation.axes))


class RightAngleRotation(Transform):
    """Rotate by one of the rotations that bring every view's field onto itself, each as likely.

    Of cubes all 24; of square slices that keep their distance 4; of any other field half a turn in
    the plane at least. All views of a patient are turned alike.

    Args:
        probability: Chance that a rotation is drawn; the first of them leaves a patient as it is.

    Example:
        >>> ten_by_eight = View(spacing_mm=1.0, field_of_view_mm=[10.0, 8.0, 8.0])
        >>> sum(allows(ten_by_eight, rotation) for rotation in CUBE_ROTATIONS)
        8
    """

    purpose = Purpose.RIGHT_ANGLE_ROTATION

    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the batch with turned images and regions."""
        ways = [one for one in CUBE_ROTATIONS if all(allows(view, one) for view in views.values())]
        drawn = [ways[one.integers(len(ways))] for one in generators]
        chosen = self.chosen(generators).tolist()
        turned = [
            rotation if changes else CUBE_ROTATIONS[0]
            for rotation, changes in zip(drawn, chosen, strict=True)
        ]
        return replace(batch, views={name: _turned(v, turned) for name, v in batch.views.items()})


def _turned(seen: ViewBatch, rotations: Sequence[CubeRotation]) -> ViewBatch:
    images, regions = seen.images.clone(), seen.regions.clone()
    for patient, rotation in enumerate(rotations):
        if rotation != CUBE_ROTATIONS[0]:
            part = slice(patient, patient + 1)
            images[part] = rotation.turn(seen.images[part])
            regions[part] = rotation.turn(seen.regions[part])
    return replace(seen, images=images, regions=regions)

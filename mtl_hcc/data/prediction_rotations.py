r"""Which ways a patient is turned when a prediction is the mean over rotations.

The 24 rotations that bring a cube onto itself move voxels and interpolate none. They stand in a
fixed order, the same for every patient and run: first the patient as it is, then each time the one
whose smallest angle to those before it is largest, so that any number of them is well spread.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.data.augmentation import InPlaneRotation, Rotation3D, Transform
from mtl_hcc.errors import ConfigError
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


def prediction_rotations(
    number: int, views: Mapping[str, View], augmentation: Sequence[Transform]
) -> tuple[CubeRotation, ...]:
    """Return the rotations that a prediction is the mean over.

    A patient is turned in all views alike, so each view must allow the rotation: its axes that
    change places have the same lengths and spacing, and slices of an acquired distance stay in
    their planes. And it must be one that the network has met in its training.

    Args:
        number: How many; 1 for the patient as it is.
        views: What each view shows.
        augmentation: Transforms of the training.

    Raises:
        ConfigError: There are not so many.
    """
    if number == 1:
        return CUBE_ROTATIONS[:1]
    left = list(CUBE_ROTATIONS)
    limits: dict[int, str] = {}  # how many are left to what allows no more
    for name, view in views.items():
        left = [one for one in left if _allows(view, one)]
        limits[len(left)] = limits.get(len(left), f"the fields and voxels of view '{name}'")
    left = [one for one in left if one == CUBE_ROTATIONS[0] or _is_met(one, augmentation)]
    limits[len(left)] = limits.get(len(left), "data.augmentation, by which training turned them")
    if 1 < number <= len(left) and views:
        return tuple(left[:number])
    raise ConfigError(
        f"prediction_rotations is {number}"
        + ("" if views else ", but there are no images to turn"),
        where="data.prediction_rotations",
        expected=f"1 to {len(left)}: so many ways of turning a patient by right angles are allowed "
        f"by {limits[len(left)]}"
        if views
        else "1",
        remedy="Set it to 1 (patients as they are), or train with Rotation3D on cubes, which "
        "allow 24 (InPlaneRotation of 180 degrees on square slices: 4).",
    )


def rotated(batch: PatientBatch, rotation: CubeRotation) -> PatientBatch:
    """Return the batch with its stored fields turned; the tensors given stay as they are.

    Args:
        batch: Before the field of view is cut out.
        rotation: Allowed by every view of the batch.
    """
    if rotation == CUBE_ROTATIONS[0]:
        return batch
    return replace(batch, views={name: _turned(v, rotation) for name, v in batch.views.items()})


def _turned(view: ViewBatch, rotation: CubeRotation) -> ViewBatch:
    # Only slices of one number change places with rows and columns, and spacings that are equal.
    images, regions = rotation.turn(view.images), rotation.turn(view.regions)
    return replace(view, images=images.contiguous(), regions=regions.contiguous())


def _allows(view: View, rotation: CubeRotation) -> bool:
    """Return whether a view's grid is brought onto itself."""
    if view.spacing[2] is None and not rotation.in_plane:
        return False
    sides = list(zip(view.field_mm, view.seen_mm, view.spacing, strict=True))[::-1]
    return all(sides[row] == sides[axis] for row, axis in enumerate(rotation.axes))


def _is_met(rotation: CubeRotation, augmentation: Sequence[Transform]) -> bool:
    """Return whether training turned patients so, or by more."""
    used = [transform for transform in augmentation if transform.probability > 0]
    if any(isinstance(transform, Rotation3D) for transform in used):
        return True
    degrees = [t.degrees for t in used if isinstance(t, InPlaneRotation)]
    return rotation.in_plane and rotation.degrees_to(CUBE_ROTATIONS[0]) <= max(degrees, default=0)

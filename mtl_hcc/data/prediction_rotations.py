r"""Which ways a patient is turned when a prediction is the mean over rotations.

The rotations stand in a fixed order, the same for every patient and run, of which any number is
well spread (``CUBE_ROTATIONS``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.data.augmentation import (
    InPlaneRotation,
    RightAngleRotation,
    Rotation3D,
    Transform,
)
from mtl_hcc.data.augmentation.right_angle_rotation import (
    CUBE_ROTATIONS,
    CubeRotation,
    allows,
)
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.view import View


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
        left = [one for one in left if allows(view, one)]
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


def _is_met(rotation: CubeRotation, augmentation: Sequence[Transform]) -> bool:
    """Return whether training turned patients so, or by more."""
    used = [transform for transform in augmentation if transform.probability > 0]
    if any(isinstance(transform, Rotation3D | RightAngleRotation) for transform in used):
        return True
    degrees = [t.degrees for t in used if isinstance(t, InPlaneRotation)]
    return rotation.in_plane and rotation.degrees_to(CUBE_ROTATIONS[0]) <= max(degrees, default=0)

"""Rigid registration: the liver of one phase is brought onto the liver of the reference phase.

The liver moves in the trunk as one breathes; a registration of the whole trunk finds spine and skin
and leaves most of the liver's shift. So the metric sees the drawn liver and a rim around it only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813

_SEED = 20250101
_WORKING_MM = 3.0
_RIM_MM = 10.0
"""The metric sees the liver's surface from both sides; further away lies what does not follow."""
_STARTS_MM = (0.0, -12.0, 12.0, -24.0, 24.0, -36.0, 36.0)
"""Shifts along the body's axis, where breathing moves most, of which the best is the start."""
_LARGEST_MM, _LARGEST_DEGREES = 50.0, 20.0
"""Between two breath-holds of one examination no liver moves further."""
_SAMPLES = 20_000
_ASIDE_MM, _LEAST_CLEAR = 12.0, 1.5
"""Where the livers do match, the phases are this many times more alike than that far aside. On real
livers right answers reached 2.7 to 7, wrong ones 0.7 to 1.05."""


Pair = tuple[sitk.Image, sitk.Image]
"""The moving phase, and the reference phase."""


@dataclass(frozen=True)
class Alignment:
    """What a registration found.

    Attributes:
        transform: From points of the reference phase to points of the moving phase; the identity
            where nothing is to be moved.
        shift_mm: How far the middle of the liver lies from its place in the reference phase.
        rotation_degrees: By how much it is turned.
        similarity: Mutual information (nats) of both phases around the liver, before and after.
        refused: Why what was found cannot be true; empty where it can. Then nothing is to be moved.
    """

    transform: sitk.Euler3DTransform
    shift_mm: float = 0.0
    rotation_degrees: float = 0.0
    similarity: tuple[float, float] = (math.nan, math.nan)
    refused: str = ""


def align(moving: sitk.Image, fixed: sitk.Image, liver: sitk.Image) -> Alignment:
    """Return how ``moving`` lies relative to ``fixed``, by the liver.

    Mattes mutual information in the liver and 10 mm around it, at three resolutions, Euler angles
    about the liver's middle, a fixed seed.

    Args:
        moving: Phase to be moved, LPS order.
        fixed: Reference phase, LPS order.
        liver: Where the liver was drawn in ``fixed`` (uint8, not empty), on any grid.
    """
    fixed, moving = (_coarse(sitk.Cast(i, sitk.sitkFloat32)) for i in (fixed, moving))
    around = _with_rim(liver)
    still = sitk.Euler3DTransform()
    middle, radius = _middle(liver)
    still.SetCenter(middle)
    start = sitk.Euler3DTransform(still)
    try:
        before = _similarity(moving, fixed, around, still)
        rough = (sitk.BinShrink(moving, [2, 2, 2]), sitk.BinShrink(fixed, [2, 2, 2]))
        start.SetTranslation(_best_start(rough, around, still))
        method = _method(around)
        if (share := _share(fixed, liver)) < 1:
            method.SetMetricSamplingStrategy(method.RANDOM)
            method.SetMetricSamplingPercentagePerLevel([1.0, min(1.0, 8 * share), share], _SEED)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=2.0,
            minStep=0.01,
            numberOfIterations=100,
            relaxationFactor=0.6,
            gradientMagnitudeTolerance=1e-6,
        )
        method.SetOptimizerScales([radius**2] * 3 + [1.0] * 3)  # A radian, in mm at the surface.
        method.SetShrinkFactorsPerLevel([4, 2, 1])
        method.SetSmoothingSigmasPerLevel([4.0, 2.0, 0.0])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInitialTransform(start, inPlace=True)
        method.Execute(fixed, moving)
        after = _similarity(moving, fixed, around, start)
        if not after > before:
            start, after = still, before
        clear = _clearness(rough, around, start)
    except RuntimeError as error:  # E.g. the two images do not even touch.
        reason = str(error).strip().splitlines()[-1]
        if "sufficiently overlap" in reason:
            reason = "the two scans lie apart in patient space"
        return Alignment(still, refused=reason)
    return _judged(start, still, (before, after), clear)


def moved(image: sitk.Image, transform: sitk.Euler3DTransform) -> sitk.Image:
    """Return a copy whose voxel at q lies at the fixed point p with transform(p) = q.

    Only origin and direction change: no voxel is interpolated here.
    """
    inverse = transform.GetInverse()
    result = sitk.Image(image)
    origin = inverse.TransformPoint(image.GetOrigin())
    rotation = sitk.AffineTransform(3)
    rotation.SetMatrix(transform.GetMatrix())
    back = sitk.AffineTransform(rotation.GetInverse())
    columns = [image.GetDirection()[axis::3] for axis in range(3)]
    turned = [back.TransformPoint(column) for column in columns]
    result.SetOrigin(origin)
    result.SetDirection([turned[column][row] for row in range(3) for column in range(3)])
    return result


def _judged(
    found: sitk.Euler3DTransform,
    still: sitk.Euler3DTransform,
    similarity: tuple[float, float],
    clear: float,
) -> Alignment:
    """Return the alignment, or why it is not to be believed."""
    shift = float(np.linalg.norm(found.GetTranslation()))
    trace = float(np.trace(np.array(found.GetMatrix()).reshape(3, 3)))
    angle = math.degrees(math.acos(min(1.0, max(-1.0, (trace - 1) / 2))))
    reason = ""
    if shift > _LARGEST_MM or angle > _LARGEST_DEGREES:
        reason = f"the liver would move by {shift:.0f} mm and turn by {angle:.0f} degrees"
    elif not clear >= _LEAST_CLEAR:
        reason = "no place was found where the livers of both phases match"
    if reason:
        return Alignment(still, shift, angle, similarity, refused=reason)
    return Alignment(found, shift, angle, similarity)


def _method(around: sitk.Image) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # Sums in another order would give another result.
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(around)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _similarity(
    moving: sitk.Image, fixed: sitk.Image, around: sitk.Image, transform: sitk.Euler3DTransform
) -> float:
    """Return the mutual information over all voxels of the mask, in nats."""
    method = _method(around)
    method.SetInitialTransform(transform)
    return -float(method.MetricEvaluate(fixed, moving))


def _best_start(
    pair: Pair, around: sitk.Image, still: sitk.Euler3DTransform
) -> tuple[float, float, float]:
    """Return the shift along z, of a few, at which the two phases are most alike."""
    shifts = [(0.0, 0.0, z) for z in _STARTS_MM]
    return shifts[int(np.argmax(_alike(pair, around, still, shifts)))]


def _clearness(pair: Pair, around: sitk.Image, found: sitk.Euler3DTransform) -> float:
    """Return how many times more alike the phases are where found than at best aside of it."""
    aside = [tuple(side * unit) for unit in np.eye(3) for side in (-_ASIDE_MM, _ASIDE_MM)]
    there, *others = _alike(pair, around, found, [(0.0, 0.0, 0.0), *aside])
    return there / max(*others, 1e-9)


def _alike(
    pair: Pair,
    around: sitk.Image,
    transform: sitk.Euler3DTransform,
    shifts: Sequence[tuple[float, ...]],
) -> list[float]:
    """Return the similarity after ``transform`` and each of some shifts (x, y, z) in mm."""
    found = []
    for shift in shifts:
        there = sitk.Euler3DTransform(transform)
        there.SetTranslation(np.add(transform.GetTranslation(), shift).tolist())
        try:
            found.append(_similarity(*pair, around, there))
        except RuntimeError:  # Past the end of the scan.
            found.append(0.0)
    return found


def _share(fixed: sitk.Image, liver: sitk.Image) -> float:
    """Return the share of voxels to sample at full resolution: few do in a large liver."""
    seen = np.count_nonzero(sitk.GetArrayViewFromImage(liver)) * np.prod(liver.GetSpacing())
    voxels = float(seen / np.prod(fixed.GetSpacing()))
    return min(1.0, _SAMPLES / voxels)


def _with_rim(liver: sitk.Image) -> sitk.Image:
    """Return the mask (uint8) of the liver and what lies within the rim, at the working size."""
    small = sitk.Shrink(liver, _factors(liver))
    pad = [math.ceil(_RIM_MM / s) for s in small.GetSpacing()]
    small = sitk.ConstantPad(small, pad, pad, 0)
    distance = sitk.SignedMaurerDistanceMap(small, False, False, True)
    return sitk.Cast(distance <= _RIM_MM, sitk.sitkUInt8)


def _middle(liver: sitk.Image) -> tuple[tuple[float, ...], float]:
    """Return center of mass (x, y, z), and the radius of a ball of the same volume, in mm."""
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOff()
    shape.Execute(liver)
    return tuple(shape.GetCentroid(1)), float(shape.GetEquivalentSphericalRadius(1))


def _coarse(image: sitk.Image) -> sitk.Image:
    """Shrink fine axes to about the working resolution; the kept voxels are averages."""
    factors = _factors(image)
    return image if max(factors) == 1 else sitk.BinShrink(image, factors)


def _factors(image: sitk.Image) -> list[int]:
    return [max(1, int(_WORKING_MM / s)) for s in image.GetSpacing()]

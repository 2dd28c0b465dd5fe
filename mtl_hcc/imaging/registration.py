"""Rigid registration of a phase without a label map to the phase that carries one."""

import SimpleITK as sitk  # noqa: N813

_SEED = 20250101
_WORKING_MM = 3.0


def align(moving: sitk.Image, fixed: sitk.Image) -> tuple[sitk.Image, sitk.Euler3DTransform]:
    """Return ``moving`` with a geometry that puts it on ``fixed``, and the transform found.

    Mattes mutual information over three resolutions, Euler angles about the center, a fixed seed.
    Only origin and direction change: no voxel is interpolated here.

    Args:
        moving: Phase without a map, LPS order.
        fixed: Phase with the map, LPS order.

    Returns:
        The moved image, and the transform from points of ``fixed`` to points of ``moving``.
    """
    fixed32, moving32 = (_coarse(sitk.Cast(i, sitk.sitkFloat32)) for i in (fixed, moving))
    start = sitk.Euler3DTransform()
    middle = [(n - 1) / 2 for n in fixed32.GetSize()]
    start.SetCenter(fixed32.TransformContinuousIndexToPhysicalPoint(middle))
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # Sums in another order would give another result.
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0,
        minStep=0.01,
        numberOfIterations=60,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-6,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed32, moving32)
    return _moved(moving, start), start


def _coarse(image: sitk.Image) -> sitk.Image:
    """Shrink fine axes to about the working resolution; the kept voxels are averages."""
    factors = [max(1, int(_WORKING_MM / s)) for s in image.GetSpacing()]
    return image if max(factors) == 1 else sitk.BinShrink(image, factors)


def _moved(moving: sitk.Image, transform: sitk.Euler3DTransform) -> sitk.Image:
    """Return a copy whose voxel at q lies at the fixed point p with transform(p) = q."""
    inverse = transform.GetInverse()
    moved = sitk.Image(moving)
    origin = inverse.TransformPoint(moving.GetOrigin())
    rotation = sitk.AffineTransform(3)
    rotation.SetMatrix(transform.GetMatrix())
    back = sitk.AffineTransform(rotation.GetInverse())
    columns = [moving.GetDirection()[axis::3] for axis in range(3)]
    turned = [back.TransformPoint(column) for column in columns]
    moved.SetOrigin(origin)
    moved.SetDirection([turned[column][row] for row in range(3) for column in range(3)])
    return moved

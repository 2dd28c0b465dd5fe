"""A liver that moves in a trunk that does not: drawn, and on a real scan."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from drawing import to_image

SPACING = (2.5, 2.5, 3.0)
SIZE = (60, 52, 44)
MIDDLE = np.array([58.0, 62.0, 66.0])
_NODULES = [(-22, 8, 6, 8), (14, -12, -10, 7), (4, 14, 14, 6), (24, 4, 8, 5), (-8, -14, 12, 5)]


def motion(shift, degrees=(0.0, 0.0, 0.0), center=MIDDLE) -> sitk.Euler3DTransform:
    """Return a rigid motion about the liver's middle: from places at rest to places moved."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter(np.asarray(center, float).tolist())
    transform.SetRotation(*np.radians(degrees).tolist())
    transform.SetTranslation(shift)
    return transform


def drawn_body(moved: sitk.Euler3DTransform | None = None, *, enhancement=1.0, seed=0):
    """Return image and label map of a trunk with spine and spleen at rest and a moved liver."""
    z, y, x = np.indices(SIZE[::-1])
    places = np.stack([x * SPACING[0], y * SPACING[1], z * SPACING[2]], axis=-1)
    own = places  # places in the liver at rest
    if moved is not None:
        back = moved.GetInverse()
        matrix = np.array(back.GetMatrix()).reshape(3, 3)
        middle = np.array(back.GetCenter())
        own = (places - middle) @ matrix.T + middle + np.array(back.GetTranslation())
    away = own - MIDDLE
    edge = 34 - (away[..., 0] + 0.8 * away[..., 2])  # the liver is no ellipsoid
    liver = np.minimum(27 * (1 - np.linalg.norm(away / (38, 28, 26), axis=-1)), edge)
    tumor = _ball(away, (10, 6, -6), 10)
    trunk = 60 * (1 - np.linalg.norm((places[..., :2] - (74, 64)) / (68, 56), axis=-1))
    hu = np.full(SIZE[::-1], -1000.0)
    for depth, value in (
        (trunk, -60),
        (_ball(places, (118, 70, 70), 16), 50 + 70 * enhancement),
        *((_ball(places, (74, 105, level), 11), 400) for level in (20, 55, 90)),
        (liver, 60 + 50 * enhancement),
        *((np.minimum(liver, _ball(away, n[:3], n[3])), 60 + 110 * enhancement) for n in _NODULES),
        (tumor, 60 + 80 * enhancement),
    ):
        share = np.clip(depth / 3 + 0.5, 0, 1)  # a voxel on the surface holds some of both
        hu = hu * (1 - share) + value * share
    hu += np.random.default_rng(seed).normal(0, 8, hu.shape)
    labels = ((liver > 0) | (tumor > 0)).astype(np.uint8) + (tumor > 0)
    return to_image(hu.astype(np.float32), SPACING), to_image(labels, SPACING)


def _ball(places, center, radius):
    """Return the depth in mm below the surface of a ball."""
    return radius - np.linalg.norm(places - center, axis=-1)


def real_liver(folder):
    """Return a real CT and its drawn liver, with pixels of 1.5 mm."""
    image, liver = (sitk.ReadImage(str(folder / name)) for name in ("ct.nii.gz", "liver.nii.gz"))
    liver.CopyInformation(image)
    image = sitk.Cast(sitk.BinShrink(sitk.Cast(image, sitk.sitkFloat32), [2, 2, 1]), sitk.sitkInt16)
    liver = sitk.Resample(liver, image, sitk.Transform(), sitk.sitkNearestNeighbor)
    return image, sitk.Cast(liver > 0, sitk.sitkUInt8)


def another_phase(image: sitk.Image, liver: sitk.Image, moved: sitk.Euler3DTransform):
    """Return the scan at other enhancement with its liver moved, the trunk at rest, and noise.

    The motion is whole in the liver and 10 mm around it, and fades over the next 25 mm.
    """
    back = moved.GetInverse()
    there = sitk.Resample(liver, image, back, sitk.sitkNearestNeighbor)
    depth = sitk.SignedMaurerDistanceMap(there, False, False, True)
    share = np.clip(1 - (sitk.GetArrayFromImage(depth) - 10) / 25, 0, 1)
    field = sitk.TransformToDisplacementField(
        back,
        sitk.sitkVectorFloat64,
        image.GetSize(),
        image.GetOrigin(),
        image.GetSpacing(),
        image.GetDirection(),
    )
    warp = sitk.GetImageFromArray(sitk.GetArrayFromImage(field) * share[..., None], isVector=True)
    warp.CopyInformation(image)
    warped = sitk.Resample(
        image, image, sitk.DisplacementFieldTransform(warp), sitk.sitkLinear, -1000.0
    )
    hu = sitk.GetArrayFromImage(warped).astype(np.float32)
    hu = np.where((hu > 60) & (hu < 300), 60 + 0.45 * (hu - 60), hu)
    hu += np.random.default_rng(1).normal(0, 15, hu.shape).astype(np.float32)
    phase = sitk.GetImageFromArray(hu.astype(np.int16))
    phase.CopyInformation(image)
    return phase, there


def residual_mm(found: sitk.Transform, true: sitk.Transform, liver: sitk.Image) -> np.ndarray:
    """Return (point,) how far each of the liver's points is brought from its true place."""
    index = np.argwhere(sitk.GetArrayViewFromImage(liver) > 0)[::37, ::-1]
    places = [liver.TransformIndexToPhysicalPoint(i) for i in index.tolist()]
    ends = [np.array([t.TransformPoint(p) for p in places]) for t in (found, true)]
    return np.linalg.norm(ends[0] - ends[1], axis=1)

"""Images whose volumes and intensities are known."""

import numpy as np
import SimpleITK as sitk  # noqa: N813

from mtl_hcc.imaging.grid import Grid


def ball(size, spacing, center_mm, radius_mm):
    """Return a (z, y, x) bool ball on a grid with its origin at zero."""
    z, y, x = np.ogrid[: size[2], : size[1], : size[0]]
    return (
        (x * spacing[0] - center_mm[0]) ** 2
        + (y * spacing[1] - center_mm[1]) ** 2
        + (z * spacing[2] - center_mm[2]) ** 2
    ) <= radius_mm**2


def to_image(values, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    return image


def make_scan(*, seed=0, size=(64, 50, 30), spacing=(1.5, 1.5, 3.0), shift=(0.0, 0.0, 0.0)):
    """Return HU (int16) and labels (uint8): a liver of 40 mm radius with a 15 mm tumor."""
    rng = np.random.default_rng(seed)
    middle = tuple(n * s / 2 + d for n, s, d in zip(size, spacing, shift, strict=True))
    liver = ball(size, spacing, middle, 34)
    tumor = ball(size, spacing, (middle[0] + 8, middle[1], middle[2]), 15)
    hu = rng.normal(-60, 15, liver.shape)
    hu[liver] = rng.normal(105, 12, int(liver.sum()))
    hu[tumor] = rng.normal(140, 12, int(tumor.sum()))
    labels = liver.astype(np.uint8)
    labels[tumor] = 2
    return hu.astype(np.int16), labels


def in_hu(images, low, high):
    """Return prepared intensities in the unit of the source, from the two clip values."""
    return np.float32(low) + images.astype(np.float32) * np.float32(high - low)


def cube(center, *, field_mm, spacing_mm):
    """Return a grid of equal edges."""
    return Grid.around(center, field_mm=(field_mm,) * 3, spacing_mm=(spacing_mm,) * 3)

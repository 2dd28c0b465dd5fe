"""What goes wrong with images and label maps on their way from the scanner to us."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from one_view import one_view
from scipy.ndimage import distance_transform_edt

from mtl_hcc.imaging.crop import to_lps
from mtl_hcc.imaging.plausibility import check_plausible
from mtl_hcc.imaging.read_image import Place
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.patient import CT_PHASES


def images_and_maps(folder):
    """Return phase to (image, label map) of a patient's folder."""
    return {
        phase: tuple(
            sitk.ReadImage(str(folder / f"{phase}{kind}.nii.gz")) for kind in ("", "_regions")
        )
        for phase in CT_PHASES
    }


def checked(patient, preparation=None):
    """Return the measurements of one patient, in whom the portal venous phase is the reference."""
    scans = {
        phase: Scan(
            Place("P1", phase, Path(f"{phase}_regions.nii.gz")),
            Place("P1", phase, Path(f"{phase}.nii.gz")),
            to_lps(image),
            to_lps(regions),
            own_map=True,
        )
        for phase, (image, regions) in patient.items()
    }
    reference = scans.get("portal_venous", next(iter(scans.values())))
    return check_plausible(list(scans.values()), reference, preparation or one_view())


def changed(image, change):
    """Return an image with other voxels in the same place."""
    values = sitk.GetImageFromArray(np.ascontiguousarray(change(sitk.GetArrayFromImage(image))))
    values.CopyInformation(image)
    return values


def images(change):
    """Change every phase's image."""
    return lambda pairs: {p: (changed(i, change), r) for p, (i, r) in pairs.items()}


def maps(change):
    """Change every phase's label map; the change gets the map's spacing, too."""

    def spoil(pairs):
        return {
            p: (i, changed(r, lambda labels, r=r: change(labels, r.GetSpacing())))
            for p, (i, r) in pairs.items()
        }

    return spoil


def order(*phases):
    """Hand in these phases as arterial, portal venous and delayed."""
    return lambda pairs: {p: pairs[q] for p, q in zip(CT_PHASES, phases, strict=True)}


def mirrored(labels, _):
    return labels[:, :, ::-1]


def lower(labels, spacing, millimeters=20):
    slices = round(millimeters / spacing[2])
    moved = np.zeros_like(labels)
    moved[:-slices] = labels[slices:]
    return moved


def exchanged(labels, _):
    return np.array([0, 2, 1, 3], dtype=np.uint8)[labels]


def outside(labels, spacing):
    """Draw the tumor as a ball in the place farthest from the liver, at most 40 mm."""
    labels = np.where(labels == 2, 1, labels).astype(np.uint8)
    steps = spacing[::-1]
    distance = distance_transform_edt(labels != 1, sampling=steps)
    center = np.unravel_index(np.where(distance <= 40, distance, 0).argmax(), distance.shape)
    axes = np.ogrid[tuple(slice(0, n) for n in labels.shape)]
    squared = sum(((a - c) * s) ** 2 for a, c, s in zip(axes, center, steps, strict=True))
    labels[squared <= 12**2] = 2
    return labels


def eight_bit(hu):
    return np.clip((hu + 160.0) / 400 * 255, 0, 255).astype(np.uint8)


def unsigned(hu):
    return hu.astype(np.int16).view(np.uint16).astype(np.int32)


def overflowed(hu):
    return (hu.astype(np.int64) * 300).astype(np.int16)


SPOILT = {
    "mask mirrored left-right": (maps(mirrored), "label map is mirrored left-right"),
    "mask 20 mm too low": (maps(lower), "20 mm to the head"),
    "int16 overflow": (images(overflowed), "an integer overflow, or a wrong scale"),
    "unsigned for signed": (images(unsigned), "values go from 0 to 65535"),
    "8-bit window": (images(eight_bit), "from 0 to 255: the values of an 8-bit picture"),
    "intercept forgotten": (images(lambda hu: hu + 1024), "no fat and no air"),
    "scaled to 0..1": (
        images(lambda hu: ((hu + 1024) / 4000).astype(np.float32)),
        "the values of an 8-bit picture",
    ),
    "HU doubled": (images(lambda hu: (hu * 2.5).astype(np.float32)), " HU"),
    "arterial and portal venous exchanged": (
        order("portal_venous", "arterial", "delayed"),
        "the liver is brighter in the arterial phase",
    ),
    "portal venous and delayed exchanged": (
        order("arterial", "delayed", "portal_venous"),
        "the liver is brighter in the delayed phase",
    ),
    "one image for all phases": (
        order("portal_venous", "portal_venous", "portal_venous"),
        "arterial and portal_venous are the same image",
    ),
    "labels exchanged": (maps(exchanged), "lies inside the tumor (label 2"),
    "tumor outside the liver": (maps(outside), "the tumor lies outside the liver"),
}
"""Name to how it is done, and what the message says."""
